import type { Fault } from './fault.js';

export const pathMtu: Fault[] = [
  {
    number: 18,
    slug: 'too-big-lost',
    title: '"Too big" does not reach who sent the segment',
    happens:
      'Behind a tunnel, a VPN or PPPoE, connections open and then stall with the first large answer. The router at the narrow link says so by ICMP, again and again, and whoever sends the large segments never hears of it.',
    why: 'The box talks in the name of the ends, so that the error is addressed to an end: to the address of the client for a segment that the box has sent towards the server. That address is not local, so the kernel forwards the error past the socket that needs it. The usual recipes divert only TCP to the socket (`-p tcp -m socket`, `meta l4proto tcp socket transparent 1`), though the match knows ICMP errors by the packet that they quote. Rules that drop ICMP do the rest.',
    instead:
      'Divert ICMP and ICMPv6 errors with the same socket match and mark as TCP, before any rule that drops them. Where two sockets share four numbers, tell the legs apart by the interface.',
    standard: 'RFC 9293 section 3.9.2.2 (MUST-54) and section 3.7.2; RFC 1191 section 3.',
  },
  {
    number: 19,
    slug: 'foreign-icmp',
    title: 'ICMP about packets that the end never sent',
    happens:
      'An end gets "too big" about a segment of the box. If its own sequence numbers happen to fit it makes its segments smaller, for ten minutes and for nothing; if not, the error is counted as out of window and dropped. The box, which should have heard of it, did not.',
    why: 'It is the other half of the fault above: what is not diverted to the socket of the box is forwarded to the address that it names. The kernel of the end looks up its own connection with the same four numbers and compares the quoted sequence number with what it has outstanding.',
    instead: 'Deliver the error to the leg whose segment it quotes, and do not forward it as well.',
    standard:
      'RFC 9293 section 3.9.2.2 (the error goes to the connection that created it); RFC 5927 section 4.1.',
  },
  {
    number: 20,
    slug: 'black-hole',
    title: 'A black hole swallows what was acknowledged',
    happens:
      'Somewhere behind the box large packets vanish without an error. An end would find out and send smaller ones. But the box has acknowledged its data already, and sends the same large segments until it gives up: what the client believed to be delivered is lost.',
    why: 'Whoever acknowledges takes over the duty to deliver. Linux looks for a size that fits only when net.ipv4.tcp_mtu_probing is not 0, and 0 is the default. The client can no longer help, since it has nothing left to send again.',
    instead:
      'Set net.ipv4.tcp_mtu_probing=1 on a box that terminates connections, or do not acknowledge for others.',
    standard: 'RFC 2923 section 2.1 (black hole detection); RFC 4821 (finding the MTU without ICMP).',
  },
  {
    number: 21,
    slug: 'forged-too-big',
    title: 'A forged "too big" is believed',
    happens:
      'Anybody who knows addresses and ports can send an ICMP error that claims a tiny MTU. If it is believed, every connection to that address is slow from then on.',
    why: 'The only proof in an ICMP error is the packet that it quotes. A box that looks up the ports and not the sequence number, or that keeps the MTU for each destination address without any check, takes any of them. A kernel socket compares the quoted number with what is outstanding (tcp_v4_err) and drops what does not fit.',
    instead:
      'Compare the quoted sequence number with what is under way, and bound the MTU from below. Or let the kernel of the end judge.',
    standard:
      'RFC 5927 section 4.1 (sequence number check); RFC 8201 section 4 for IPv6 (check that the quoted packet was sent).',
  },
  {
    number: 22,
    slug: 'soft-errors-kill',
    title: 'A passing ICMP error ends the connection',
    happens:
      'A route flaps for a second, a router says "host unreachable", and every connection through the box ends. The ends themselves would have sent again and gone on.',
    why: 'Proxies treat any error that a socket reports as final. Linux keeps soft errors to itself (sk_err_soft) unless IP_RECVERR is set; user-space stacks and tables of address translators do not always know the difference.',
    instead:
      'Note the error, and go on retransmitting. End a connection only when the end does, or when the retransmissions are used up.',
    standard: 'RFC 9293 section 3.9.2.2 (MUST-56: soft errors do not abort); RFC 5382 REQ-10 for NATs.',
  },
];
