import type { Fault } from './fault.js';

export const addresses: Fault[] = [
  {
    number: 28,
    slug: 'source-replaced',
    title: 'The server does not see the client',
    happens:
      'The server sees the address of the box, or the right address with another port. Logs, limits and access lists meet one client for all. Even where only the port is another, the logs of both sides cannot be matched, and protocols that name their own port break.',
    why: 'An ordinary connect(2) uses the address of the box. IP_TRANSPARENT with bind(2) gives the address; but the port is left to the kernel by many proxies, out of fear that the same four numbers cannot exist twice. They can: the two sockets have them mirrored.',
    instead:
      'Bind the socket towards the server to address and port of the client, with IP_TRANSPARENT, and let connection tracking tell the legs apart by zones.',
    standard:
      'RFC 3143 section 2.2.3 describes what a replaced address breaks; RFC 2775 section 2.3 on transparency of addresses. The port is in neither.',
  },
  {
    number: 29,
    slug: 'wrong-destination',
    title: 'The connection ends up elsewhere',
    happens:
      'The client named one address and port and is connected to another one: a server that it did not ask for, the box itself, or its own address.',
    why: 'With REDIRECT the destination is rewritten before the proxy sees it, and SO_ORIGINAL_DST asks connection tracking for what it was. If the entry is gone, or was made from the answer and is reversed, that is the wrong one. With TPROXY the local name of the socket is the destination, and no question is needed. Proxies that look up a name from the data (Host, SNI) choose another address on purpose.',
    instead:
      'Prefer TPROXY, and take the destination from getsockname(2). Refuse a connection whose destination is the box itself.',
    standard:
      'RFC 2775 section 2.3 (addresses have the same meaning from end to end); no standard forbids it by name, since no router does it.',
  },
  {
    number: 30,
    slug: 'port-collision',
    title: 'One port of a client reaches only one server',
    happens:
      'A client has two connections from one port to two servers, which is common with many connections. The second one fails, or disturbs the first. It happens now and then, and more often the more clients there are.',
    why: 'bind(2) without knowledge of the destination reserves the port for one socket, unless SO_REUSEADDR or IP_BIND_ADDRESS_NO_PORT puts the decision off until connect(2). Tables that are keyed by the address and port of the client alone mix up the two.',
    instead:
      'Use all four numbers as the key, everywhere. Bind late, with IP_BIND_ADDRESS_NO_PORT or SO_REUSEADDR.',
    standard: 'RFC 9293 section 4 (a connection is identified by a pair of sockets).',
  },
  {
    number: 31,
    slug: 'legs-share-an-entry',
    title: 'Both legs share one entry in connection tracking',
    happens:
      'Under load, segments are dropped as invalid, and transfers have long pauses that no capture at the ends explains. Counters of the firewall show packets in the state INVALID.',
    why: 'A box that keeps all four numbers has two connections with one tuple. Connection tracking has one entry for them, and follows one window with the sequence numbers of two streams: what one leg sends lies outside the window of the other one.',
    instead:
      'Give one leg another conntrack zone (`ct zone set`), for its ICMP errors as well, or track neither of them (`notrack`) in both directions.',
    standard: 'None: it is a matter of the implementation.',
  },
  {
    number: 32,
    slug: 'payload-rewritten',
    title: 'Data that looks like an address is rewritten',
    happens:
      'A file or a message arrives changed, where it contains a line that looks like FTP, SIP or IRC. Encrypted connections are spared, so that it shows in old protocols and on odd ports.',
    why: 'Helpers for such protocols (ALGs; nf_conntrack_ftp, nf_conntrack_sip and their NAT halves) search the stream for addresses and replace them, and where they are assigned by themselves the port decides.',
    instead:
      'Switch them off, and assign them by rule (the `ct helper` statement of nftables) where one is needed. Without address translation none is.',
    standard: 'RFC 5382 REQ-6 (all of them but the one for FTP are recommended to be off by default).',
  },
];
