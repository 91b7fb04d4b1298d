/**
 * What passes any interface of this network namespace, as packet(7) sockets see it, without a capture program. Segments that the
 * kernel has put together (offloads) say so: the header of PACKET_VNET_HDR tells the size that they had, or will have, on the wire.
 */
import { check, errno, libc } from './ffi.js';
import { SOL_SOCKET, setOption, wouldBlock } from './socket.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_FLAGS = 0o2004000; // SOCK_NONBLOCK | SOCK_CLOEXEC
const ETH_P_ALL = 0x0300; // in network byte order
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const SO_RCVBUFFORCE = 33;
const PACKET_OUTGOING = 4;
const RECEIVE_BUFFER = 1 << 24;
const VNET_HEADER = 10;
/** When the kernel saw the packet that was read last, as struct timespec (socket(7) has the microseconds); the first call begins it. */
const SIOCGSTAMPNS = 0x8907;

const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;

const socketCall = libc.func('int socket(int, int, int)');
const ioctlCall = libc.func('int ioctl(int, ulong, void *)');
const recvfromCall = libc.func('int64_t recvfrom(int, void *, size_t, int, void *, void *)');

export interface Captured {
  /** From the IP header on. */
  packet: Uint8Array;
  /** When it passed, in microseconds since the epoch. */
  time: number;
  outgoing: boolean;
  /** Payload of each segment of several; 0: it is one. */
  gsoSize: number;
}

/** Hears everything that comes and goes: whoever reads looks at the ports, since classic BPF cannot walk IPv6 headers. */
export function captureSocket(): number {
  const fd = check(socketCall(AF_PACKET, SOCK_RAW | SOCK_FLAGS, ETH_P_ALL), 'socket', 'AF_PACKET');
  setOption(fd, SOL_PACKET, PACKET_VNET_HDR, 1, 'PACKET_VNET_HDR');
  setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER, 'SO_RCVBUFFORCE');
  ioctlCall(fd, SIOCGSTAMPNS, stamp);
  return fd;
}

const buffer = new Uint8Array(VNET_HEADER + 128 + 65_536 + 14);
const address = new Uint8Array(20); // struct sockaddr_ll
const addressView = new DataView(address.buffer);
const addressLength = new Uint32Array(1);
const stamp = new Uint8Array(16);
const stampView = new DataView(stamp.buffer);

/** The next packet, or null when none waits. It is valid until the next call. What is no IP packet is passed over. */
export function nextCaptured(fd: number): Captured | null {
  for (;;) {
    addressLength[0] = address.length;
    const n = Number(recvfromCall(fd, buffer, buffer.length, 0, address, addressLength));
    if (n < 0) {
      const error = errno();
      // ENETDOWN: an interface went away.
      if (wouldBlock(-error) || error === 100) return null;
      check(n, 'recvfrom', 'AF_PACKET');
    }
    const kind = addressView.getUint16(8, true);
    const outgoing = address[10] === PACKET_OUTGOING;
    // The loopback shows each packet twice.
    if (kind === ARPHRD_LOOPBACK && outgoing) continue;
    const link = kind === ARPHRD_ETHER || kind === ARPHRD_LOOPBACK ? 14 : 0;
    const protocol = addressView.getUint16(2, false);
    if (protocol !== 0x0800 && protocol !== 0x86dd) continue;
    const packet = buffer.subarray(VNET_HEADER + link, n);
    const gsoSize = buffer[1] === 0 ? 0 : (buffer[4] as number) | ((buffer[5] as number) << 8);
    return { packet, time: timeOf(fd), outgoing, gsoSize };
  }
}

function timeOf(fd: number): number {
  // The kernel stamps from the first call on; what came before that has no time but now.
  if (ioctlCall(fd, SIOCGSTAMPNS, stamp) < 0) return Date.now() * 1000;
  const seconds = Number(stampView.getBigInt64(0, true));
  return seconds * 1e6 + Math.round(Number(stampView.getBigInt64(8, true)) / 1000);
}
