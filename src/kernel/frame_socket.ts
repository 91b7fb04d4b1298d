/** AF_PACKET: whole frames in and out of one interface, for ends whose kernel must not answer (packet(7)). */
import { readFileSync } from 'node:fs';
import { check, E, errno, libc } from './ffi.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_PACKET = 263;
const PACKET_IGNORE_OUTGOING = 23;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const ETH_P_ALL = 3;

const socketCall = libc.func('int socket(int, int, int)');
const bindCall = libc.func('int bind(int, void *, uint)');
const setCall = libc.func('int setsockopt(int, int, int, void *, uint)');
const sendCall = libc.func('int64_t send(int, void *, size_t, int)');
const recvCall = libc.func('int64_t recv(int, void *, size_t, int)');

/** A socket that hears what comes in by `device`, not what goes out. */
export function frameSocket(device: string): number {
  // Protocol 0 hears nothing until it is bound, so that no frame of another interface is in the queue.
  const fd = check(socketCall(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket', 'AF_PACKET');
  const one = new Uint8Array(Int32Array.of(1).buffer);
  check(setCall(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, one, 4), 'setsockopt', 'PACKET_IGNORE_OUTGOING');
  const room = new Uint8Array(Int32Array.of(1 << 24).buffer);
  check(setCall(fd, SOL_SOCKET, SO_RCVBUFFORCE, room, 4), 'setsockopt', 'SO_RCVBUFFORCE');
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ALL);
  view.setInt32(4, Number(readFileSync(`/sys/class/net/${device}/ifindex`, 'utf8')), true);
  check(bindCall(fd, address, address.length), 'bind', device);
  return fd;
}

export function sendFrame(fd: number, frame: Uint8Array): void {
  check(sendCall(fd, frame, frame.length, 0), 'send', `a frame of ${frame.length} bytes`);
}

/** The length of the next frame, or null when none waits. */
export function receiveFrame(fd: number, buffer: Uint8Array): number | null {
  const n = recvCall(fd, buffer, buffer.length, 0);
  if (n >= 0) return n;
  if (errno() === E.EAGAIN || errno() === E.EINTR) return null;
  return check(n, 'recv', 'AF_PACKET');
}
