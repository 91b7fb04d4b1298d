import type { Fault } from './fault.js';

export const mss: Fault[] = [
  {
    number: 14,
    slug: 'mss-of-its-own',
    title: 'The box offers an MSS of its own',
    happens:
      'The client says 1410, since it is behind PPPoE or a tunnel, and the server hears 1460. Segments of the server that were small enough before are now too large for the last link: they are fragmented, or vanish when the ICMP error is lost too. Small pages work and large ones do not.',
    why: 'The socket towards the server takes its MSS from the interface and route of the box. What the client said has been used up by the other leg. Where a router clamps the MSS in SYNs on the way, the clamp reaches the leg of the client only.',
    instead:
      'Set TCP_MAXSEG on each socket before it connects or answers, to at most what the other end said. A box that only clamps may lower the value, for the link that follows; it must never raise it.',
    standard:
      'RFC 9293 section 3.7.1 (MSS is what the receiver can take). That one leg follows the other is transparency; no standard says it.',
  },
  {
    number: 15,
    slug: 'mss-absent-or-tiny',
    title: 'No MSS, or a tiny one',
    happens:
      'An end that names no MSS gets segments of 1460 bytes, which it need not take. At the other extreme, an MSS of 0 or 48 stops the connection, or makes the box send a packet for every few bytes, which an attacker can use to keep it busy.',
    why: 'A missing option is easily read as "no limit", or filled in by the default of the box. A value of 0 is copied into a division or a loop. Linux bounds the MSS from below (net.ipv4.tcp_min_snd_mss, 48 by default) since CVE-2019-11479.',
    instead:
      'Assume 536 (IPv6: 1220) where nothing is said, and offer nothing larger to the other side. Bound small values before use.',
    standard: 'RFC 9293 section 3.7.1 (MUST-15: 536 and 1220 where no MSS is received).',
  },
  {
    number: 16,
    slug: 'mss-of-another-interface',
    title: 'The MSS of the wrong interface',
    happens:
      'The server or the client is offered an MSS that no link on the path has: 65495 for example, from an interface with an MTU of 64 kB. Segments leave the far end as large as its own link allows, and nothing keeps them to the smaller link behind the box.',
    why: 'The MSS that a kernel offers is derived from the route of the answer. With TPROXY and with proxies on the same machine, the listener sits on the loopback or on a virtual interface, and the route that the lookup finds may be that one and not the link to the client. Policy rules by mark that also catch the own packets of the proxy have this effect.',
    instead:
      'Make sure that the routing lookup of what the box sends finds the real egress link: no mark on its own packets, and advmss on routes where that cannot be had. Cap the value by what the other end said.',
    standard: 'RFC 9293 section 3.7.1.',
  },
  {
    number: 17,
    slug: 'segments-beyond-the-mss',
    title: 'Segments larger than their receiver said',
    happens:
      'An end that named an MSS of 700 gets 1460 bytes in one segment. What cannot be taken is dropped, sent again as large as before, and the connection stalls as soon as much is sent.',
    why: 'The box read one MSS and cuts for another leg; or it joins segments to larger ones (receive offload, GRO) and sends them on as they have become, without cutting them again as they were. A box that adds an option or a tunnel header to full segments makes them too long as well.',
    instead:
      'Cut on each leg by what that side said, less the options that each segment carries. Let the kernel do segmentation, and leave gso_size alone when forwarding.',
    standard:
      'RFC 9293 section 3.7.1 (MUST-16: the smaller of what the other end takes and what the path takes).',
  },
];
