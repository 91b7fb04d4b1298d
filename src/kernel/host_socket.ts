/**
 * Sockets of an ordinary host, call by call: what a test or an audit does at the ends of a connection. Nothing here throws for
 * what the kernel answers: a result is the call's value, or -errno.
 */
import { errno, libc } from './ffi.js';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SOL_TCP = 6;
const TCP_MD5SIG = 14;
const SIOCATMARK = 0x8905;
const MSG_NOSIGNAL = 0x4000;
const POLLIN = 0x1;
const POLLPRI = 0x2;
const POLLOUT = 0x4;

/** Options by the name that the manual pages give them: level, number, and how many 32-bit words the value has. */
const hostOptions: Record<string, [level: number, name: number, words: 1 | 2]> = {
  SO_REUSEADDR: [SOL_SOCKET, 2, 1],
  SO_SNDBUF: [SOL_SOCKET, 7, 1],
  SO_RCVBUF: [SOL_SOCKET, 8, 1],
  SO_KEEPALIVE: [SOL_SOCKET, 9, 1],
  SO_OOBINLINE: [SOL_SOCKET, 10, 1],
  SO_PRIORITY: [SOL_SOCKET, 12, 1],
  SO_LINGER: [SOL_SOCKET, 13, 2],
  SO_MARK: [SOL_SOCKET, 36, 1],
  IP_TOS: [0, 1, 1],
  IP_TTL: [0, 2, 1],
  IP_MTU_DISCOVER: [0, 10, 1],
  IP_MTU: [0, 14, 1],
  IP_MINTTL: [0, 21, 1],
  TCP_NODELAY: [6, 1, 1],
  TCP_MAXSEG: [6, 2, 1],
  TCP_CORK: [6, 3, 1],
  TCP_KEEPIDLE: [6, 4, 1],
  TCP_KEEPINTVL: [6, 5, 1],
  TCP_KEEPCNT: [6, 6, 1],
  TCP_SYNCNT: [6, 7, 1],
  TCP_LINGER2: [6, 8, 1],
  TCP_DEFER_ACCEPT: [6, 9, 1],
  TCP_WINDOW_CLAMP: [6, 10, 1],
  TCP_QUICKACK: [6, 12, 1],
  TCP_USER_TIMEOUT: [6, 18, 1],
  TCP_FASTOPEN: [6, 23, 1],
  IPV6_UNICAST_HOPS: [41, 16, 1],
  IPV6_MTU_DISCOVER: [41, 23, 1],
  IPV6_MTU: [41, 24, 1],
  IPV6_V6ONLY: [41, 26, 1],
  IPV6_FLOWINFO_SEND: [41, 33, 1],
  IPV6_AUTOFLOWLABEL: [41, 70, 1],
  IPV6_TCLASS: [41, 67, 1],
};

export const messageFlags = {
  MSG_OOB: 0x1,
  MSG_PEEK: 0x2,
  MSG_MORE: 0x8000,
  MSG_FASTOPEN: 0x20000000,
} as const;

const socketCall = libc.func('int socket(int, int, int)');
const bindCall = libc.func('int bind(int, void *, uint)');
const connectCall = libc.func('int connect(int, void *, uint)');
const listenCall = libc.func('int listen(int, int)');
const acceptCall = libc.func('int accept4(int, void *, void *, int)');
const nameCall = libc.func('int getsockname(int, void *, void *)');
const peerCall = libc.func('int getpeername(int, void *, void *)');
const setCall = libc.func('int setsockopt(int, int, int, void *, uint)');
const getCall = libc.func('int getsockopt(int, int, int, void *, void *)');
const shutdownCall = libc.func('int shutdown(int, int)');
const sendCall = libc.func('int64_t send(int, void *, size_t, int)');
const recvCall = libc.func('int64_t recv(int, void *, size_t, int)');
const sendtoCall = libc.func('int64_t sendto(int, void *, size_t, int, void *, uint)');
const ioctlCall = libc.func('int ioctl(int, ulong, void *)');
const pollCall = libc.func('int poll(void *, ulong, int)');

const orErrno = (result: number): number => (result < 0 ? -errno() : Number(result));

export const protocols = { TCP: 6, MPTCP: 262 } as const;

export function hostSocket(family: 4 | 6, protocol: keyof typeof protocols = 'TCP'): number {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  return orErrno(socketCall(family === 4 ? AF_INET : AF_INET6, type, protocols[protocol]));
}

/** `address` is 16 bytes, IPv4 v4-mapped. `flowLabel` goes into sin6_flowinfo. */
function sockaddr(family: 4 | 6, address: Uint8Array, port: number, flowLabel = 0): Uint8Array {
  const bytes = new Uint8Array(family === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  if (family === 4) bytes.set(address.subarray(12, 16), 4);
  else {
    view.setUint32(4, flowLabel & 0xfffff);
    bytes.set(address.subarray(0, 16), 8);
  }
  return bytes;
}

export function hostBind(fd: number, family: 4 | 6, address: Uint8Array, port: number): number {
  const name = sockaddr(family, address, port);
  return orErrno(bindCall(fd, name, name.length));
}

/** -EINPROGRESS while the handshake goes on; `pendingError` tells how it ended. */
export function hostConnect(
  fd: number,
  family: 4 | 6,
  address: Uint8Array,
  port: number,
  flowLabel = 0,
): number {
  const name = sockaddr(family, address, port, flowLabel);
  return orErrno(connectCall(fd, name, name.length));
}

export function hostListen(fd: number, backlog: number): number {
  return orErrno(listenCall(fd, backlog));
}

export function hostAccept(fd: number): number {
  return orErrno(acceptCall(fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

/** The address as 16 bytes, IPv4 v4-mapped, and the port; or -errno. */
export function socketName(fd: number, peer = false): { address: Uint8Array; port: number } | number {
  const bytes = new Uint8Array(28);
  const result = (peer ? peerCall : nameCall)(fd, bytes, new Uint32Array([bytes.length]));
  if (result < 0) return -errno();
  const address = new Uint8Array(16);
  if (bytes[0] === AF_INET6) address.set(bytes.subarray(8, 24));
  else address.set([0xff, 0xff, ...bytes.subarray(4, 8)], 10);
  return { address, port: ((bytes[2] as number) << 8) | (bytes[3] as number) };
}

export function setHostOption(fd: number, option: string, ...values: number[]): number {
  const [level, name] = optionOf(option);
  const words = Int32Array.from(values);
  return orErrno(setCall(fd, level, name, new Uint8Array(words.buffer), words.byteLength));
}

/** The first word of the value, or -errno. */
export function getHostOption(fd: number, option: string): number {
  const [level, name, count] = optionOf(option);
  const words = new Int32Array(count);
  const result = getCall(fd, level, name, new Uint8Array(words.buffer), new Uint32Array([words.byteLength]));
  return result < 0 ? -errno() : (words[0] as number);
}

/** Sign what goes to `address`, and want what comes from it signed (RFC 2385): `struct tcp_md5sig`. */
export function setMd5Key(fd: number, family: 4 | 6, address: Uint8Array, key: Uint8Array): number {
  const bytes = new Uint8Array(216);
  bytes.set(sockaddr(family, address, 0));
  new DataView(bytes.buffer).setUint16(130, key.length, true);
  bytes.set(key, 136);
  return orErrno(setCall(fd, SOL_TCP, TCP_MD5SIG, bytes, bytes.length));
}

function optionOf(option: string): [number, number, 1 | 2] {
  const found = hostOptions[option];
  if (!found)
    throw new RangeError(`no socket option ${option}; there are ${Object.keys(hostOptions).join(', ')}`);
  return found;
}

/** SO_ERROR: -errno of what went wrong meanwhile, or 0. Reading it clears it. */
export function pendingError(fd: number): number {
  const word = new Int32Array(1);
  const result = getCall(fd, SOL_SOCKET, SO_ERROR, new Uint8Array(word.buffer), new Uint32Array([4]));
  return result < 0 ? -errno() : -(word[0] as number);
}

const shutdownHow = { read: 0, write: 1, both: 2 } as const;

export function hostShutdown(fd: number, how: keyof typeof shutdownHow): number {
  return orErrno(shutdownCall(fd, shutdownHow[how]));
}

export function hostSend(fd: number, bytes: Uint8Array, flags = 0): number {
  return orErrno(sendCall(fd, bytes, bytes.length, flags | MSG_NOSIGNAL));
}

/** Data in the SYN (tcp(7), TCP_FASTOPEN): connects and sends at once. */
export function hostSendTo(
  fd: number,
  bytes: Uint8Array,
  flags: number,
  family: 4 | 6,
  address: Uint8Array,
  port: number,
): number {
  const name = sockaddr(family, address, port);
  return orErrno(sendtoCall(fd, bytes, bytes.length, flags | MSG_NOSIGNAL, name, name.length));
}

export function hostReceive(fd: number, buffer: Uint8Array, flags = 0, length = buffer.length): number {
  return orErrno(recvCall(fd, buffer, length, flags));
}

/** 1 when the next byte to read is the one behind the urgent mark (sockatmark(3)). */
export function atUrgentMark(fd: number): number {
  const word = new Int32Array(1);
  const result = ioctlCall(fd, SIOCATMARK, new Uint8Array(word.buffer));
  return result < 0 ? -errno() : (word[0] as number);
}

/** Waits in a thread of libuv's pool. False after `timeoutMs`; an error or a hang-up counts as ready. */
export function whenReady(
  fd: number,
  what: 'read' | 'write' | 'urgent',
  timeoutMs: number,
): Promise<boolean> {
  const pollfd = new Uint8Array(8);
  const view = new DataView(pollfd.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, { read: POLLIN, write: POLLOUT, urgent: POLLPRI }[what], true);
  return new Promise((resolve, reject) => {
    pollCall.async(pollfd, 1, timeoutMs, (error: unknown, ready: number) =>
      error ? reject(error) : resolve(ready > 0),
    );
  });
}
