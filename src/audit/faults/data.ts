import type { Fault } from './fault.js';

export const data: Fault[] = [
  {
    number: 42,
    slug: 'urgent-mark',
    title: 'The urgent mark is lost',
    happens:
      'An interrupt of a telnet session, an abort of FTP, a cancel of an old database client do nothing, or the urgent byte turns up as an ordinary one in the middle of the stream.',
    why: 'read(2) and splice(2) pass the urgent byte over or include it (SO_OOBINLINE), and say nothing of the mark; a proxy has to ask (SIOCATMARK, MSG_OOB, EPOLLPRI) and send with MSG_OOB. Firewalls clear the flag by default, since the two readings of the pointer were used to slip past inspection.',
    instead:
      'Read up to the mark, send the urgent byte with MSG_OOB on the other leg, and go on. Programs should not use it in anything new.',
    standard: 'RFC 9293 section 3.8.5 (MUST-30, MUST-31); RFC 6093 section 3.4 (middleboxes that clear it).',
  },
  {
    number: 43,
    slug: 'stream-damaged',
    title: 'The stream is not what was sent',
    happens:
      'Bytes are missing, doubled or in another order, mostly after losses or on paths that change the order of packets. Where somebody repeats a segment with other bytes on purpose, the box sees one text and the server another one, and a filter is passed by.',
    why: 'A box that puts segments together itself must do what the end does with overlaps and repetitions, and stacks differ: some keep the first copy and some the last one. Boxes that only look at packets do not put them together at all.',
    instead:
      'Take each byte once. What was delivered or acknowledged stays, whatever is repeated. Relay the stream that was inspected, not the packets.',
    standard:
      'RFC 9293 section 3.10.7.4 (segments are taken in the order of their numbers, and only their new parts).',
  },
  {
    number: 44,
    slug: 'invalid-segments-accepted',
    title: 'Damaged and impossible segments are taken',
    happens:
      'A segment with a wrong checksum, or far outside the window, is taken for data, or ends the connection. Damage on the way reaches programs, with a fresh checksum that says that all is well.',
    why: 'A box that reads packets from the wire and not from a socket has to verify checksums itself; offloads hide that in tests, since their packets carry none that is valid. Rewriting an address updates the checksum by the difference, which keeps a wrong one wrong; computing a new one over the whole makes it right.',
    instead:
      'Verify before you change any state. Check sequence numbers against the window. When forwarding, update the checksum and never replace it.',
    standard:
      'RFC 9293 section 3.1 (MUST-3: the receiver checks it) and section 3.10.7.4 (first the sequence number).',
  },
  {
    number: 45,
    slug: 'small-messages-wait',
    title: 'Small messages wait in the box',
    happens:
      'Each click takes 40 ms longer, or 200. Only connections that send two small pieces in a row and wait for the answer are concerned, which is most of them.',
    why: "Nagle's algorithm on the sending leg holds a small segment back while another one is unacknowledged, and the far end delays its acknowledgement (40 ms and more in Linux). The client had set TCP_NODELAY; the socket of the box has not. Proxies that wait for full buffers (TCP_CORK, MSG_MORE, a buffer of their own) do the same.",
    instead:
      'Set TCP_NODELAY on both legs and write what was read at once. The end has decided already how to cut its data.',
    standard:
      'RFC 9293 section 3.9.1.2 (MUST-60, MUST-61: nothing is buffered for ever, the last segment has PSH) and section 3.7.4.',
  },
  {
    number: 46,
    slug: 'unusual-but-valid',
    title: 'Unusual but valid segments are refused',
    happens:
      'A client sends its first data together with the last segment of the handshake, or a receiver takes back a part of its window. Both are allowed. The connection stalls until a retransmission, or is reset.',
    why: 'State machines in filters and proxies expect what the usual stacks send: three segments without data, windows that only move forward. What does not fit is "invalid" and dropped; the retransmission often looks more usual, so that only time is lost.',
    instead:
      'Follow the states of the standard, not the habits of one stack. After a window has shrunk, send nothing new and repeat what is outside.',
    standard:
      'RFC 9293 section 3.10.7.4 (data with the ACK of the handshake is processed) and section 3.8.6 (MUST-34: be robust against shrinking windows).',
  },
];
