/** raw(7) sockets that send whole IP packets, routed by the kernel: any header, any source. Needs CAP_NET_RAW. */
import { KernelError } from './errors.js';
import { check, errno, libc } from './ffi.js';
import { SOL_IP, SOL_IPV6, setOption } from './socket.js';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW = 3;
const SOCK_FLAGS = 0o2004000; // SOCK_NONBLOCK | SOCK_CLOEXEC
/** The packet brings its own header (IP_HDRINCL, in both families), and the socket receives nothing. */
const IPPROTO_RAW = 255;
const IP_MTU_DISCOVER = 10;
const IPV6_MTU_DISCOVER = 23;
const PMTUDISC_PROBE = 3;

const socketCall = libc.func('int socket(int, int, int)');
const sendtoCall = libc.func('int64_t sendto(int, void *, size_t, int, void *, uint)');

export function rawIpSocket(family: 4 | 6): number {
  const domain = family === 4 ? AF_INET : AF_INET6;
  const fd = check(socketCall(domain, SOCK_RAW | SOCK_FLAGS, IPPROTO_RAW), 'socket', 'SOCK_RAW');
  // Up to the MTU of the interface, whatever the kernel has learned of the path.
  if (family === 4) setOption(fd, SOL_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE, 'IP_MTU_DISCOVER');
  else setOption(fd, SOL_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE, 'IPV6_MTU_DISCOVER');
  return fd;
}

/**
 * The kernel fills in the IPv4 checksum, and an identification of 0 where fragments are allowed (raw(7)). The packet goes to the
 * destination in its header.
 */
export function sendIp(fd: number, packet: Uint8Array): void {
  const v4 = (packet[0] as number) >> 4 === 4;
  const name = new Uint8Array(v4 ? 16 : 28);
  name[0] = v4 ? AF_INET : AF_INET6;
  if (v4) name.set(packet.subarray(16, 20), 4);
  else name.set(packet.subarray(24, 40), 8);
  const n = sendtoCall(fd, packet, packet.length, 0, name, name.length);
  if (n < 0) throw new KernelError('sendto', errno(), `a raw packet of ${packet.length} bytes`);
}
