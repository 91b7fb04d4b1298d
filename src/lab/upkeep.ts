/**
 * The frames by which neighbours find each other: ARP, and ICMPv6's neighbour discovery and multicast listener reports
 * (RFC 4861, RFC 3810). The kernel sends them when it sees fit. A wire lets them pass at once and uncounted, so that packet n
 * is the same packet each time, and a lost question costs no connection a second.
 */
const ETHERNET = 14;
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV6 = 0x86dd;
const IPV6_HEADER = 40;
const HOP_BY_HOP = 0;
const ICMPV6 = 58;

export function isUpkeep(bytes: Uint8Array, offset: number, length: number): boolean {
  if (length < ETHERNET) return false;
  const type = ((bytes[offset + 12] as number) << 8) | (bytes[offset + 13] as number);
  if (type === ETHERTYPE_ARP) return true;
  if (type !== ETHERTYPE_IPV6 || length < ETHERNET + IPV6_HEADER + 16) return false;
  const ip = offset + ETHERNET;
  let next = bytes[ip + 6] as number;
  let at = ip + IPV6_HEADER;
  // Listener reports have a router alert before them, which is 8 bytes (RFC 3810 section 5).
  if (next === HOP_BY_HOP) {
    next = bytes[at] as number;
    if (bytes[at + 1] !== 0) return false;
    at += 8;
  }
  if (next !== ICMPV6) return false;
  const icmp = bytes[at] as number;
  return (icmp >= 130 && icmp <= 137) || icmp === 143;
}
