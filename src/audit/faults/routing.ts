import type { Fault } from './fault.js';

export const routing: Fault[] = [
  {
    number: 51,
    slug: 'asymmetric-paths',
    title: 'Only one direction passes the box',
    happens:
      'Requests go through the box and answers go around it, or the other way. The SYN-ACK of the server reaches the client, which had another one from the box, and resets the connection. Only some addresses and some hours are concerned, since routing decides.',
    why: 'A box that answers a SYN has to see all of the answers. One that only watches sees acknowledgements for data that it does not know, and calls them invalid. Equal-cost paths, two providers, and routes that differ by direction are ordinary in networks.',
    instead:
      'Step in only when both directions have been seen, which is when the SYN-ACK has come through the box. Forward all else.',
    standard: 'RFC 3135 section 4.2 (such boxes need both directions to pass).',
  },
  {
    number: 52,
    slug: 'running-connections-reset',
    title: 'Connections that were there before are ended',
    happens:
      'The box is started, or a route moves to it, and all connections that pass there end within seconds.',
    why: 'To a box that knows no handshake of them, their segments belong to nothing. Where a rule delivers them to the box, its kernel answers by a reset, with a listener or without; a strict firewall drops them as invalid (`ct state invalid`, nf_conntrack_tcp_loose=0).',
    instead: 'Forward what you have not seen begin. Divert only packets that have a socket or a fresh SYN.',
    standard:
      'RFC 9293 section 3.5.2: a reset must not be sent where it is not clear that the segment is not for a current connection.',
  },
  {
    number: 53,
    slug: 'intercepts-itself',
    title: 'The box intercepts its own connections',
    happens:
      'One SYN of a client becomes two, ten or thousands. The server sees a connection from the box for each; logs fill, and the box runs out of ports or files.',
    why: 'The connection that the box makes towards the server matches the rule that is meant for clients: it goes to the same port, and with the address of the client it even looks the same. Rules in the output chain, or packets that come back by another interface, close the loop.',
    instead:
      'Exempt what the box itself sends, by a mark (SO_MARK), the user or the interface. Bind rules to the interfaces where clients are.',
    standard: 'None speaks of it; RFC 9293 section 3.4: each end numbers a byte once.',
  },
  {
    number: 54,
    slug: 'another-box-of-several',
    title: 'Packets of one connection reach another box',
    happens:
      'Several boxes share the load. A path changes, or an ICMP error takes another way than the data, and arrives at a box that knows nothing of the connection. "Too big" is lost for good, and data is reset.',
    why: 'Load is spread by a hash of addresses and ports. An ICMP error has no ports, and its source is a router, so that its hash is another one. When a box is added, many hashes move.',
    instead:
      'Spread errors by the packet that they quote, or send them to all boxes. Use hashing that moves few connections, and forward what belongs to nobody.',
    standard: 'RFC 7690 section 2 (the problem, for IPv6) and section 3 (what can be done).',
  },
  {
    number: 55,
    slug: 'fragments',
    title: 'Fragments pass the box by',
    happens:
      'A segment that comes in fragments is lost, or a part of it reaches the server past the box. Connections over tunnels that fragment stall, while all others work.',
    why: 'Only the first fragment has the ports. A rule that looks at ports matches that one, and the rest goes another way. Linux puts fragments together for local delivery and for connection tracking, but a program on the interface (tc, XDP) sees them as they come.',
    instead:
      'Put fragments together before you look at ports (connection tracking and `tproxy` rules have the kernel do so), or leave a connection with fragments alone as a whole.',
    standard: 'RFC 791 section 3.2; RFC 8200 section 4.5.',
  },
];
