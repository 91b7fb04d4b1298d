import type { Fault } from './fault.js';

export const handshake: Fault[] = [
  {
    number: 1,
    slug: 'answers-before-the-server',
    title: 'The box answers the handshake itself',
    happens:
      'The client is connected before the server has heard of it. A server that is down looks up: connect() succeeds, and then the connection is reset or stays silent. Programs that try the next address when the first one refuses (happy eyeballs, database clusters, health checks) never do. Every port of every address seems open.',
    why: 'A proxy learns of a connection from accept(2), and accept(2) returns when the handshake is over. With a TPROXY or REDIRECT rule the SYN is delivered to the listener of the box, whose kernel answers at once. Only then can the proxy call connect(2) towards the server. A SYN proxy against floods answers by design.',
    instead:
      'Let the SYN pass and step in behind the handshake, or hold the SYN, connect to the server, and answer with what the server answered. A proxy in user space that must accept first can at least reset the client at once when its own connect(2) fails.',
    standard:
      'RFC 9293 section 3.5 (the handshake synchronises the two ends); RFC 3135 section 4.1 on what splitting a connection costs.',
  },
  {
    number: 2,
    slug: 'refusals-get-lost',
    title: 'Refused, unreachable and silent look alike',
    happens:
      'A server can say no in three ways: a reset (nobody listens), an ICMP error (no way there), or nothing (a filter). The client should see the same one. Behind the box all three become one: usually an accepted connection that is closed, sometimes a timeout of minutes where "no route" was known at once.',
    why: 'When a proxy has accepted, there is no socket call that takes a SYN-ACK back, so that a failure of its own connect(2) can only become FIN or RST. ICMP errors about the SYN quote the address of the client, which is not local; they are forwarded past the box, or dropped by a rule that lets only TCP through.',
    instead:
      'Answer only when the server has answered: a reset for a reset, the ICMP error for the ICMP error, nothing for nothing. Where the handshake passes untouched this needs no code.',
    standard:
      'RFC 9293 section 3.5.2 (a SYN to a closed port is answered by a reset) and section 3.9.2.2 (ICMP errors go to the connection that caused them).',
  },
  {
    number: 3,
    slug: 'unknown-flags-refused',
    title: 'A SYN with unfamiliar flags is refused',
    happens:
      'A SYN that offers ECN, or has one of the reserved bits set, gets a reset or no answer, where one without these bits is answered. The client connects only after it has given up the offer: seconds later, or never.',
    why: 'Somebody wrote a filter for "flags that make no sense" before the flags got a meaning, or a stack compares the flags byte with the value for SYN in place of testing the one bit. Signatures of port scanners that used such SYNs are another source.',
    instead:
      'Test the bits that you mean and ignore the others. A box that terminates connections should answer the SYN as if the unknown bits were zero; one that forwards should pass them on.',
    standard:
      'RFC 3360 section 2.1 (a non-zero reserved field is no reason for a reset); RFC 3168 section 6.1.1.1 describes such boxes.',
  },
  {
    number: 4,
    slug: 'data-in-syn',
    title: 'Data in the SYN is lost or doubled',
    happens:
      'A client that knows a Fast Open cookie puts its request into the SYN. Behind the box the request never arrives, or it arrives twice: once from the SYN and once from the retransmission. Or the option is taken away, and the saving of a round trip with it.',
    why: 'A listener without TCP_FASTOPEN drops the data of a SYN and acknowledges the SYN alone, so that the client sends it again; that is slow but right. It goes wrong where the box keeps the data of the SYN in a buffer of its own, acknowledges it, and also takes the repetition; or where it forwards SYN and data, answers with a number of its own, and loses count.',
    instead:
      'Leave connections with data in the SYN alone, or acknowledge the SYN only, so that the client repeats the data in the ordinary way. Never acknowledge what is not queued for the server.',
    standard:
      'RFC 7413 section 4.2 (the protocol), section 4.1.3.1 (clients remember paths where it fails); RFC 9293 section 3.10.7.2 (data with a SYN is queued).',
  },
  {
    number: 5,
    slug: 'simultaneous-open',
    title: 'Two SYNs that cross make no connection',
    happens:
      'Two peers connect to each other at the same moment, as programs behind address translation do. Each sends a SYN and gets a SYN. Instead of one connection there is none: a reset, or silence on both sides.',
    why: 'A proxy has one side that listens and another one that connects. The second SYN meets a socket of the box in SYN-SENT, which has no listener behind it, or a state table that expects SYN-ACK and drops everything else. The kernel of an end does know the case (tcp_rcv_synsent_state_process); a table in between has to be told.',
    instead:
      'Follow both directions apart, and let a bare SYN from the other side through. Or leave the connection alone when the answer to a SYN is a SYN.',
    standard:
      'RFC 9293 section 3.5 (MUST-10: support simultaneous open); RFC 5382 REQ-2 asks it of NATs as well.',
  },
  {
    number: 6,
    slug: 'port-reuse',
    title: 'The same ports cannot be used again',
    happens:
      'A client that makes many connections comes back to a port that it has used before, and the ends would accept that. Behind the box the new SYN is dropped, or answered by an acknowledgement from the past. It shows as rare timeouts under load, most of all with a few busy clients or with fixed source ports.',
    why: 'The box has closed its leg first and keeps a socket in TIME_WAIT with the same four numbers that the real ends use. Binding the next socket to the address and port of the client fails with EADDRINUSE or EADDRNOTAVAIL. Connection tracking keeps entries for minutes after the close, too.',
    instead:
      'Remove the TIME_WAIT of the box once both ends have closed (they have their own), let the side that closed first keep it, and let a valid new SYN replace an old entry.',
    standard: 'RFC 9293 section 3.6.1 (MAY-2: a new SYN may reopen a connection from TIME-WAIT).',
  },
  {
    number: 7,
    slug: 'server-speaks-first',
    title: 'A server that speaks first is not heard',
    happens:
      'In SMTP, SSH, FTP and several database protocols the server sends the first bytes. Behind the box nothing comes until the client says something, which it never does: both wait until one of them gives up.',
    why: 'The box waits for the first bytes of the client, from which it wants to tell the protocol or the name of the server (SNI, Host), before it connects or before it relays anything. Accept filters and deferred accepts (TCP_DEFER_ACCEPT) have the same effect in the kernel.',
    instead:
      'Connect without waiting, and relay whichever side speaks. If names are needed, bound the wait to some milliseconds, and end it as soon as the server says something.',
    standard: 'RFC 9293 section 3.5: once established, either end may send; no order is implied.',
  },
];
