/** TCP sockets by descriptor: what node:net has no words for. */
import { check, E, errno, libc } from './ffi.js';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
export const SOL_IP = 0;
export const SOL_SOCKET = 1;
export const SOL_TCP = 6;
export const SOL_IPV6 = 41;
const IP_TRANSPARENT = 19;
const IP_TTL = 2;
const IPV6_UNICAST_HOPS = 16;
const IPV6_TRANSPARENT = 75;
const SO_LINGER = 13;
const SO_OOBINLINE = 10;
const SO_ACCEPTCONN = 30;
const SO_PROTOCOL = 38;
const SO_MEMINFO = 55;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_MAXSEG = 2;
const TCP_QUICKACK = 12;
const SIOCOUTQ = 0x5411;
const SIOCINQ = 0x541b;
const SIOCATMARK = 0x8905;
const MSG_OOB = 1;
const MSG_PEEK = 2;
const MSG_NOSIGNAL = 0x4000;
const MSG_MORE = 0x8000;
const F_DUPFD_CLOEXEC = 1030;
export const SHUT_WR = 1;

const socketCall = libc.func('int socket(int, int, int)');
const bindCall = libc.func('int bind(int, void *, uint)');
const connectCall = libc.func('int connect(int, void *, uint)');
const setsockoptCall = libc.func('int setsockopt(int, int, int, void *, uint)');
const getsockoptCall = libc.func('int getsockopt(int, int, int, void *, void *)');
const shutdownCall = libc.func('int shutdown(int, int)');
const closeCall = libc.func('int close(int)');
const dupCall = libc.func('int fcntl(int, int, int)');
const dup2Call = libc.func('int dup2(int, int)');
const recvCall = libc.func('int64_t recv(int, void *, size_t, int)');
const sendCall = libc.func('int64_t send(int, void *, size_t, int)');
const writeCall = libc.func('int64_t write(int, void *, size_t)');
const readCall = libc.func('int64_t read(int, void *, size_t)');
const ioctlCall = libc.func('int ioctl(int, ulong, void *)');

const word = new Int32Array(2);
const length = new Uint32Array(1);
const wordBytes = new Uint8Array(word.buffer);

export function tcpSocket(family: 4 | 6): number {
  return check(
    socketCall(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
    'socket',
  );
}

/** Sets a socket option to a 32-bit value. */
export function setOption(fd: number, level: number, name: number, value: number, what: string): void {
  word[0] = value;
  check(setsockoptCall(fd, level, name, wordBytes, 4), 'setsockopt', what);
}

/** A socket option that is a 32-bit value. */
export function getOption(fd: number, level: number, name: number, what: string): number {
  length[0] = 4;
  check(getsockoptCall(fd, level, name, wordBytes, length), 'getsockopt', what);
  return word[0] as number;
}

export function setOptionBytes(
  fd: number,
  level: number,
  name: number,
  value: Uint8Array,
  length: number,
  what: string,
): void {
  check(setsockoptCall(fd, level, name, value, length), 'setsockopt', what);
}

/** Lets a socket use addresses that are not this machine's (ip(7), IP_TRANSPARENT). Needs CAP_NET_ADMIN. */
export function setTransparent(fd: number, family: 4 | 6): void {
  if (family === 4) setOption(fd, SOL_IP, IP_TRANSPARENT, 1, 'IP_TRANSPARENT');
  else setOption(fd, SOL_IPV6, IPV6_TRANSPARENT, 1, 'IPV6_TRANSPARENT');
}

/** The TTL, or hop limit, of what it sends. */
export function setTtl(fd: number, family: 4 | 6, ttl: number): void {
  if (family === 4) setOption(fd, SOL_IP, IP_TTL, ttl, 'IP_TTL');
  else setOption(fd, SOL_IPV6, IPV6_UNICAST_HOPS, ttl, 'IPV6_UNICAST_HOPS');
}

export const setNoDelay = (fd: number): void => setOption(fd, SOL_TCP, TCP_NODELAY, 1, 'TCP_NODELAY');
/** Urgent data stays in its place in the stream (RFC 6093 section 4); without it, it would be dropped by reads. */
export const setUrgentInline = (fd: number): void =>
  setOption(fd, SOL_SOCKET, SO_OOBINLINE, 1, 'SO_OOBINLINE');
/** Sends an acknowledgement that is due and was put off (__tcp_sock_set_quickack()). */
export const setQuickAck = (fd: number): void => setOption(fd, SOL_TCP, TCP_QUICKACK, 1, 'TCP_QUICKACK');
export const setMaxSegment = (fd: number, mss: number): void =>
  setOption(fd, SOL_TCP, TCP_MAXSEG, mss, 'TCP_MAXSEG');

/** Makes the next close() send a reset and forget what was queued (socket(7), SO_LINGER 0). */
export function setResetOnClose(fd: number): void {
  word[0] = 1;
  word[1] = 0;
  check(setsockoptCall(fd, SOL_SOCKET, SO_LINGER, wordBytes, 8), 'setsockopt', 'SO_LINGER');
}

/** True when setResetOnClose(), or a program's own SO_LINGER 0, is in force. */
export function hasResetOnClose(fd: number): boolean {
  length[0] = 8;
  return getsockoptCall(fd, SOL_SOCKET, SO_LINGER, wordBytes, length) === 0 && word[0] === 1 && word[1] === 0;
}

const sockaddr = new Uint8Array(28);

function fillSockaddr(family: 4 | 6, address: Uint8Array, offset: number, port: number): number {
  sockaddr.fill(0);
  sockaddr[0] = family === 4 ? AF_INET : AF_INET6;
  sockaddr[2] = port >> 8;
  sockaddr[3] = port & 0xff;
  if (family === 4) for (let i = 0; i < 4; i++) sockaddr[4 + i] = address[offset + 12 + i] as number;
  else for (let i = 0; i < 16; i++) sockaddr[8 + i] = address[offset + i] as number;
  return family === 4 ? 16 : 28;
}

/** `address` holds 16 bytes at `offset`; IPv4 is v4-mapped. */
export function bind(fd: number, family: 4 | 6, address: Uint8Array, offset: number, port: number): void {
  check(bindCall(fd, sockaddr, fillSockaddr(family, address, offset, port)), 'bind');
}

export function connect(fd: number, family: 4 | 6, address: Uint8Array, offset: number, port: number): void {
  check(connectCall(fd, sockaddr, fillSockaddr(family, address, offset, port)), 'connect');
}

/** Returns bytes, 0 at the end of the stream, or -errno. Never throws: this is the relay's inner loop. */
export function recv(fd: number, buffer: Uint8Array, length: number): number {
  const n = recvCall(fd, buffer, length, 0);
  return n < 0 ? -errno() : n;
}

/** What has come and stays there to be read: how many bytes, or -errno. */
export function peekBytes(fd: number, buffer: Uint8Array, length: number): number {
  const n = recvCall(fd, buffer, length, MSG_PEEK);
  return n < 0 ? -errno() : n;
}

/** Returns bytes taken, or -errno. `more`: the last, short segment waits for what comes next (send(2), MSG_MORE). */
export function send(fd: number, buffer: Uint8Array, length: number, more = false): number {
  const n = sendCall(fd, buffer, length, more ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL);
  return n < 0 ? -errno() : n;
}

/** Looks at the next byte and leaves it where it is. Returns 1, 0 at the end of the stream, or -errno. */
export function peekByte(fd: number, byte: Uint8Array): number {
  const n = recvCall(fd, byte, 1, MSG_PEEK);
  return n < 0 ? -errno() : n;
}

/** Sends one byte with the urgent mark on it. Returns 1, or -errno. */
export function sendUrgent(fd: number, byte: Uint8Array): number {
  const n = sendCall(fd, byte, 1, MSG_NOSIGNAL | MSG_OOB);
  return n < 0 ? -errno() : n;
}

/** True when the next byte to be read is the urgent one (tcp(7), SIOCATMARK). */
export const atUrgentMark = (fd: number): boolean =>
  ioctlCall(fd, SIOCATMARK, wordBytes) === 0 && word[0] !== 0;

export function read(fd: number, buffer: Uint8Array, length: number): number {
  const n = readCall(fd, buffer, length);
  return n < 0 ? -errno() : n;
}

export function write(fd: number, buffer: Uint8Array, length: number): number {
  const n = writeCall(fd, buffer, length);
  return n < 0 ? -errno() : n;
}

/** Sends a FIN behind what is queued. A connection that is gone already (ENOTCONN) needs none. */
export const shutdownWrite = (fd: number): void => {
  shutdownCall(fd, SHUT_WR);
};

export const close = (fd: number): void => {
  closeCall(fd);
};

/** What kind of TCP socket it is; null: none. */
export function tcpKind(fd: number): 'connection' | 'listener' | null {
  const option = (name: number): number => {
    length[0] = 4;
    return getsockoptCall(fd, SOL_SOCKET, name, wordBytes, length) < 0 ? -1 : (word[0] as number);
  };
  if (option(SO_PROTOCOL) !== IPPROTO_TCP) return null;
  return option(SO_ACCEPTCONN) === 0 ? 'connection' : 'listener';
}

/** Makes `fd` another descriptor of what `by` describes (dup2(2)). */
export const replace = (fd: number, by: number): void => {
  dup2Call(by, fd);
};

/** A second descriptor for the same socket, closed on exec. */
export function duplicate(fd: number): number {
  return check(dupCall(fd, F_DUPFD_CLOEXEC, 0), 'fcntl', 'F_DUPFD_CLOEXEC');
}

/**
 * Makes room for so many descriptors in the calling thread's table: where threads share one, each time it grows takes the kernel
 * some ten milliseconds (synchronize_rcu() in expand_fdtable()). More than may be open is asked for in vain.
 */
export function reserveDescriptors(some: number, count: number): void {
  const fd = dupCall(some, F_DUPFD_CLOEXEC, count);
  if (fd >= 0) closeCall(fd);
}

/** Bytes sent and not yet acknowledged, plus those not sent (tcp(7), SIOCOUTQ). */
export function unacknowledged(fd: number): number {
  return ioctlCall(fd, SIOCOUTQ, wordBytes) < 0 ? 0 : (word[0] as number);
}

/** Bytes received and not read (tcp(7), SIOCINQ). */
export function unread(fd: number): number {
  return ioctlCall(fd, SIOCINQ, wordBytes) < 0 ? 0 : (word[0] as number);
}

const memory = new Uint32Array(9);
const memoryBytes = new Uint8Array(memory.buffer);

/** Memory of what was received and is not read, also behind a hole (SO_MEMINFO, SK_MEMINFO_RMEM_ALLOC). */
export function receiveMemory(fd: number): number {
  length[0] = memory.byteLength;
  return getsockoptCall(fd, SOL_SOCKET, SO_MEMINFO, memoryBytes, length) < 0 ? 0 : (memory[0] as number);
}

export const wouldBlock = (result: number): boolean => result === -E.EAGAIN || result === -E.EINTR;
