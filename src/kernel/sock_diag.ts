/**
 * SOCK_DESTROY (sock_diag(7), what `ss -K` uses). The real ends keep their own TIME_WAIT; one of ours would make the
 * repair connect() of the next flow with the same four numbers fail with EADDRNOTAVAIL.
 */
import { check, libc } from './ffi.js';
import { close } from './socket.js';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2004000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DESTROY = 21;
const NLM_F_REQUEST = 1;
const MESSAGE = 72;
const BATCH = 64;

const socketCall = libc.func('int socket(int, int, int)');
const sendCall = libc.func('int64_t send(int, void *, size_t, int)');
const recvCall = libc.func('int64_t recv(int, void *, size_t, int)');

/** Collects TIME_WAIT sockets and destroys them, many in one system call. */
export class TimeWaitReaper {
  readonly #fd = check(
    socketCall(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG),
    'socket',
    'NETLINK_SOCK_DIAG',
  );
  readonly #buffer = Buffer.alloc(MESSAGE * BATCH);
  readonly #errors = Buffer.alloc(65536);
  #count = 0;

  /** The addresses are 16 bytes each, IPv4 v4-mapped. */
  add(
    family: 4 | 6,
    local: Uint8Array,
    localOffset: number,
    localPort: number,
    remote: Uint8Array,
    remoteOffset: number,
    remotePort: number,
  ): void {
    if (this.#count === BATCH) this.flush();
    const b = this.#buffer;
    const at = this.#count++ * MESSAGE;
    b.fill(0, at, at + MESSAGE);
    b.writeUInt32LE(MESSAGE, at);
    b.writeUInt16LE(SOCK_DESTROY, at + 4);
    b.writeUInt16LE(NLM_F_REQUEST, at + 6);
    b[at + 16] = family === 4 ? 2 : 10;
    b[at + 17] = 6;
    b.writeUInt32LE(1 << 6, at + 20);
    b.writeUInt16BE(localPort, at + 24);
    b.writeUInt16BE(remotePort, at + 26);
    const skip = family === 4 ? 12 : 0;
    for (let i = skip; i < 16; i++) {
      b[at + 28 + i - skip] = local[localOffset + i] as number;
      b[at + 44 + i - skip] = remote[remoteOffset + i] as number;
    }
    // INET_DIAG_NOCOOKIE
    b.fill(0xff, at + 64, at + 72);
  }

  close(): void {
    close(this.#fd);
  }

  flush(): void {
    if (this.#count === 0) return;
    sendCall(this.#fd, this.#buffer, this.#count * MESSAGE, 0);
    this.#count = 0;
    // Errors (ENOENT: it was gone already) come back as messages; unread ones would fill the socket's queue.
    while (Number(recvCall(this.#fd, this.#errors, this.#errors.length, 0)) > 0);
  }
}
