import type { Fault } from './fault.js';

export const ipv6: Fault[] = [
  {
    number: 47,
    slug: 'packet-too-big-ipv6',
    title: 'IPv6: Packet Too Big is forgotten',
    happens:
      'Over IPv4 all is well, and over IPv6 large answers stall. Routers never cut IPv6 packets, so that here everything depends on the error message.',
    why: 'The rules for ICMP were written for IPv4. ICMPv6 is another protocol number with other types, and a rule for `icmp` does not match it. "Drop ICMP" is worse for IPv6, where it also takes neighbour discovery along, so that lists of allowed types are kept, and type 2 is missing from them.',
    instead:
      'Let type 2 through everywhere, and divert it to the sockets of the box as for IPv4 (ipv6-icmp next to icmp in the socket match).',
    standard:
      'RFC 8201 section 4; RFC 4890 section 4.3.1 (messages that must not be dropped); RFC 9293 section 3.9.2.2 holds for both.',
  },
  {
    number: 48,
    slug: 'extension-headers',
    title: 'IPv6: extension headers part a connection',
    happens:
      'The handshake passes without extension headers and the data has one, or the other way round. One part is intercepted and the other part forwarded: the connection stalls, or a server gets data of a connection that it does not have.',
    why: 'A match that reads the first next-header field finds something else than TCP and passes the packet by. Offsets that were computed for the fixed header are wrong by the length of the extension.',
    instead:
      'Walk the chain of headers up to TCP, or decide at the SYN to leave such connections alone and hold to it. Drop by policy only, never because a header was not recognised.',
    standard: 'RFC 7045 section 2.1; RFC 8200 section 4.',
  },
  {
    number: 49,
    slug: 'flow-label',
    title: 'IPv6: the flow label changes',
    happens:
      'Packets of one connection carry several flow labels, or 0. Routers that spread load by the label send them over different paths, and they arrive in another order.',
    why: 'Each socket of a Linux box chooses a label of its own (net.ipv6.auto_flowlabels), and a new one after timeouts. What the kernel sends without a socket, resets for example, may have another one. When a flow moves from forwarding to a proxy, the label changes in the middle.',
    instead: 'Give each leg the label that the other end uses, for all packets.',
    standard: 'RFC 6437 section 2 (a label that is not zero is delivered unchanged) and section 3.',
  },
  {
    number: 50,
    slug: 'ipv6-not-like-ipv4',
    title: 'IPv4 and IPv6 are treated differently',
    happens:
      'A filter holds for one family only, and clients that have both pass it by. Or all that was tested works over IPv4, and users with IPv6 have the faults.',
    why: 'The configuration has two halves (iptables and ip6tables, two tproxy statements, two policy rules), and one of them was written later or never. A listener on 0.0.0.0 hears no IPv6.',
    instead:
      'Use tables that hold for both (`table inet`), generate both halves from one source, and test each of them.',
    standard: 'RFC 9293 holds for TCP over either of them.',
  },
];
