/**
 * Listeners that nobody can connect to. A socket is made by one when the kernel program lets an ACK pass for that of a
 * valid SYN cookie (`bpf_sk_assign_tcp_reqsk()`, Linux 6.9): two calls in place of TCP_REPAIR's seventeen, and the kernel
 * restores what TCP_REPAIR forgets, ECN and the timestamp to echo.
 */
import { check, errno, libc } from './ffi.js';
import { discard } from './repair.js';
import { bind, close, setNoDelay, setTransparent, setTtl, setUrgentInline, tcpSocket } from './socket.js';
import { attachFilter, type Instruction } from './socket_filter.js';

const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
const BACKLOG = 16;

const listenCall = libc.func('int listen(int, int)');
const acceptCall = libc.func('int accept4(int, void *, void *, int)');
const getsocknameCall = libc.func('int getsockname(int, void *, void *)');

/** Accepts a packet whose mark is ours, drops any other. */
function markFilter(mark: number, mask: number): Instruction[] {
  const SKF_AD_MARK = 0xfffff000 + 20;
  return [
    [0x20, 0, 0, SKF_AD_MARK],
    [0x54, 0, 0, mask],
    [0x15, 0, 1, mark],
    [0x06, 0, 0, 0x40000],
    [0x06, 0, 0, 0],
  ];
}

export interface Listener {
  readonly fd: number;
  readonly port: number;
}

/** What most stacks begin with (RFC 1700), less this hop: then the egress program has nothing to change in the IP header. */
const USUAL_TTL = 63;

/**
 * Listens on the loopback, at a port of the kernel's choice. Only packets with `mark` reach it and the sockets that it
 * makes: these inherit the filter, the TTL, and being transparent, without Nagle's delay, with urgent data in line.
 */
export function openListener(family: 4 | 6, mark: number, mask: number): Listener {
  const fd = tcpSocket(family);
  try {
    setTransparent(fd, family);
    setUrgentInline(fd);
    setNoDelay(fd);
    setTtl(fd, family, USUAL_TTL);
    attachFilter(fd, markFilter(mark, mask));
    const loopback = new Uint8Array(16);
    if (family === 6) loopback[15] = 1;
    else loopback.set([127, 0, 0, 1], 12);
    bind(fd, family, loopback, 0, 0);
    check(listenCall(fd, BACKLOG), 'listen');
    const name = new Uint8Array(28);
    check(getsocknameCall(fd, name, Uint32Array.of(28)), 'getsockname');
    return { fd, port: ((name[2] as number) << 8) | (name[3] as number) };
  } catch (error) {
    close(fd);
    throw error;
  }
}

const peer = new Uint8Array(28);
const peerLength = new Uint32Array(1);

/**
 * The socket that the listener has made for this peer, or -errno: EAGAIN when it has made none, EMFILE or ENFILE when there is no
 * descriptor for it. `address` holds 16 bytes at `offset`, IPv4 v4-mapped. One of another peer was left in the queue when there
 * was no descriptor: its flow is forwarded, so it goes silently.
 */
export function accept(
  listener: Listener,
  family: 4 | 6,
  address: Uint8Array,
  offset: number,
  port: number,
): number {
  for (;;) {
    peerLength[0] = peer.length;
    const fd = acceptCall(listener.fd, peer, peerLength, SOCK_NONBLOCK_CLOEXEC);
    if (fd < 0) return -errno();
    if (isPeer(family, address, offset, port)) return fd;
    discard(fd);
  }
}

/** Takes sockets that nobody has accepted out of a listener's queue and drops them silently: its end would reset them
 *  (inet_csk_listen_stop()). */
export function discardQueued(listener: number): void {
  for (;;) {
    const fd = acceptCall(listener, null, null, SOCK_NONBLOCK_CLOEXEC);
    if (fd < 0) return;
    discard(fd);
  }
}

function isPeer(family: 4 | 6, address: Uint8Array, offset: number, port: number): boolean {
  if (peer[2] !== port >> 8 || peer[3] !== (port & 0xff)) return false;
  const skip = family === 4 ? 12 : 0;
  const at = family === 4 ? 4 : 8;
  for (let i = skip; i < 16; i++) if (peer[at + i - skip] !== address[offset + i]) return false;
  return true;
}
