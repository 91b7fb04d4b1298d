import type { Fault } from './fault.js';

export const ipHeader: Fault[] = [
  {
    number: 23,
    slug: 'ecn-on-one-leg',
    title: 'ECN on one leg only, and marks that vanish',
    happens:
      'One end believes that ECN is in use and the other one does not; or a router marks a packet in place of dropping it, and the sender never hears of it. Queues grow until packets are lost after all, and the sender that never slows down takes the room of others.',
    why: 'Each of two sockets negotiates by the settings of the box (net.ipv4.tcp_ecn). A mark ends at the socket that receives it: there it is answered on that leg, which is right, but says nothing to a sender behind the other leg unless the box itself slows down. Old filters clear the two bits as part of the TOS byte.',
    instead:
      'Negotiate ECN on both legs or on neither, by what the ends said. Terminate marks where the connection is terminated, and answer them there. If that cannot be done, take the offer out of the SYN.',
    standard:
      'RFC 3168 section 6.1.1 (negotiation), section 6.1.3 (the receiver answers CE by ECE until it hears CWR) and section 5.',
  },
  {
    number: 24,
    slug: 'accurate-ecn',
    title: 'The flags of Accurate ECN are misread',
    happens:
      'A client sets AE, CWR and ECE in its SYN; at the server one of them is missing. That is another offer, and the two ends disagree on what the flags mean in every later segment: a counter is read as a request to slow down.',
    why: 'AE is the bit that was reserved (and NS before). Boxes that clear reserved bits leave CWR and ECE, which is the offer of classic ECN. Since all three bits are a counter later on, whoever touches one of them changes a number.',
    instead:
      'Treat the three flags as one field: pass all of them, or clear all of them, in SYN and SYN-ACK alike.',
    standard: 'RFC 9768 section 3.1.1 (the client asks for it by AE, CWR and ECE together in its SYN).',
  },
  {
    number: 25,
    slug: 'dscp',
    title: 'The class of service is not carried',
    happens:
      'Calls, backups and the rest arrive in one class, or answers have another one than requests. Queues that were configured with care do nothing behind the box.',
    why: 'A socket sends with its own TOS (IP_TOS, 0 by default); that of the packets which came on the other leg is not copied. Reading it takes IP_RECVTOS or the saved SYN, and following later changes takes more than a socket.',
    instead:
      'Set the class of each leg from what comes on the other one, from the SYN on, and follow changes; or set it by policy, the same for forwarded and for intercepted packets.',
    standard: 'RFC 9293 section 3.9.1.9 (each direction has its own); RFC 2474 section 3.',
  },
  {
    number: 26,
    slug: 'ttl',
    title: 'The TTL gives the box away',
    happens:
      'Packets that should have come from 12 hops away have a TTL of 64. A SYN that cannot live as far as the server is answered nevertheless. Traceroute by TCP ends at the box. Sessions that accept only a TTL of 255 refuse everything.',
    why: 'Sockets of the box begin with net.ipv4.ip_default_ttl. A SYN whose TTL reaches 1 at the box is taken in by the local listener, where a router would have refused it: local delivery does not look at the TTL.',
    instead:
      'Give each leg the TTL of the packets on the other one, less the one hop. Drop what would have died here, with the error that a router sends.',
    standard:
      'RFC 791 section 3.2 (each module that handles a packet lowers the TTL); RFC 5082 section 3 for the check of 255.',
  },
  {
    number: 27,
    slug: 'dont-fragment',
    title: 'DF and identifications are changed',
    happens:
      'DF is cleared on packets of an end that discovers path MTUs: no router complains any more, and packets are cut into fragments that are easily lost. Where fragments are allowed and several packets share one identification, parts of two of them are put together.',
    why: 'DF is a setting of the sending socket (IP_MTU_DISCOVER), so that the box has its own. Clearing it is an old remedy for networks that lose ICMP. Linux sets the identification of packets with DF as it likes; one that clears DF afterwards makes them count.',
    instead:
      'Leave DF as the end set it. If it must be cleared, the identification has to be chosen anew, and unique.',
    standard:
      'RFC 791 section 3.1; RFC 6864 section 4.1 (identifications have no meaning with DF) and section 4.2; RFC 1191 section 3.',
  },
];
