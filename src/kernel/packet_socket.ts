/** packet(7) sockets that see and send whole frames of one interface, many in one call, from a pool of frames. */
import { check, errno, libc } from './ffi.js';
import type { FrameBatch } from './frame_pool.js';
import { SOL_SOCKET, setOption } from './socket.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_FLAGS = 0o2004000; // SOCK_NONBLOCK | SOCK_CLOEXEC
const ETH_P_ALL = 3;
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const PACKET_QDISC_BYPASS = 20;
const PACKET_IGNORE_OUTGOING = 23;
const SO_RCVBUFFORCE = 33;
const MSG_DONTWAIT = 0x40;

const socketCall = libc.func('int socket(int, int, int)');
const bindCall = libc.func('int bind(int, void *, uint)');
const getsockoptCall = libc.func('int getsockopt(int, int, int, void *, void *)');
const recvmmsgCall = libc.func('int recvmmsg(int, void *, uint, int, void *)');
const sendmmsgCall = libc.func('int sendmmsg(int, void *, uint, int)');

/** Opens a socket for all frames that come in by an interface. What it sends is seen by captures, too. */
export function interfaceSocket(interfaceIndex: number, receiveBufferBytes: number): number {
  // Protocol 0: it hears nothing until bind() has named the interface.
  const fd = check(socketCall(AF_PACKET, SOCK_RAW | SOCK_FLAGS, 0), 'socket', 'AF_PACKET');
  setOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, 'PACKET_IGNORE_OUTGOING');
  setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes, 'SO_RCVBUFFORCE');
  const address = new DataView(new ArrayBuffer(20)); // struct sockaddr_ll
  address.setUint16(0, AF_PACKET, true);
  address.setUint16(2, ETH_P_ALL, false);
  address.setInt32(4, interfaceIndex, true);
  check(bindCall(fd, new Uint8Array(address.buffer), 20), 'bind', `AF_PACKET, interface ${interfaceIndex}`);
  return fd;
}

/** The same for bulk: what it sends skips the queueing discipline, and with it the captures of the interface. */
export function packetSocket(interfaceIndex: number, receiveBufferBytes: number): number {
  const fd = interfaceSocket(interfaceIndex, receiveBufferBytes);
  setOption(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1, 'PACKET_QDISC_BYPASS');
  return fd;
}

/** Fills the frames of a batch from its start. Returns how many came, 0 when there is none, or -errno. */
export function receiveFrames(fd: number, batch: FrameBatch): number {
  const n = recvmmsgCall(fd, batch.messages, batch.size, MSG_DONTWAIT, null);
  return n < 0 ? -errno() : n;
}

/** Sends `count` frames of a batch. Returns how many were taken, or -errno when the first one was refused. */
export function sendFrames(fd: number, batch: FrameBatch, first: number, count: number): number {
  const n = sendmmsgCall(fd, first === 0 ? batch.messages : batch.messagesFrom(first), count, MSG_DONTWAIT);
  return n < 0 ? -errno() : n;
}

const statistics = new Uint32Array(2); // struct tpacket_stats: packets, drops
const statisticsBytes = new Uint8Array(statistics.buffer);
const statisticsLength = new Uint32Array(1);

/** Frames that found the receive buffer full since this was asked last. */
export function missedFrames(fd: number): number {
  statisticsLength[0] = 8;
  check(
    getsockoptCall(fd, SOL_PACKET, PACKET_STATISTICS, statisticsBytes, statisticsLength),
    'getsockopt',
    'PACKET_STATISTICS',
  );
  return statistics[1] as number;
}
