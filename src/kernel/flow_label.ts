/** IPv6 flow labels of a program's own choice (RFC 3493 has none; include/uapi/linux/in6.h does). */
import { errno, libc } from './ffi.js';

const SOL_IPV6 = 41;
const IPV6_FLOWLABEL_MGR = 32;
const IPV6_FL_A_GET = 0;
const IPV6_FL_F_CREATE = 1;
const IPV6_FL_S_ANY = 255;

const setCall = libc.func('int setsockopt(int, int, int, void *, uint)');

/** Leases `label` towards `destination` (16 bytes) for this socket. 0 or -errno. */
export function leaseFlowLabel(fd: number, destination: Uint8Array, label: number): number {
  // struct in6_flowlabel_req: destination, label (big endian), action, share, flags, expires, linger, padding.
  const request = new Uint8Array(32);
  const view = new DataView(request.buffer);
  request.set(destination.subarray(0, 16));
  view.setUint32(16, label & 0xfffff);
  view.setUint8(20, IPV6_FL_A_GET);
  view.setUint8(21, IPV6_FL_S_ANY);
  view.setUint16(22, IPV6_FL_F_CREATE, true);
  return setCall(fd, SOL_IPV6, IPV6_FLOWLABEL_MGR, request, request.length) < 0 ? -errno() : 0;
}
