import type { Fault } from './fault.js';

export const teardown: Fault[] = [
  {
    number: 33,
    slug: 'half-close',
    title: 'A half-closed connection is closed whole',
    happens:
      'A client sends its question and a FIN, which says that there is no more to come, and waits for the answer. The answer is cut off or never comes. It hits rsync and ssh in pipes, netcat, old HTTP clients, and protocols that mark the end of a request by the end of the stream.',
    why: 'read(2) returns 0, and the proxy takes it for the end of the connection: it closes both sockets. Others set a short timer for the second half. In event loops, half-open streams are often off by default (allowHalfOpen in Node.js).',
    instead:
      'Make a FIN of a FIN by shutdown(2) on the other side, go on relaying in the other direction, and close when both have ended. Do not put a short limit on the second half.',
    standard: 'RFC 9293 section 3.6 and section 3.6.1 (the two directions are closed independently).',
  },
  {
    number: 34,
    slug: 'reset-becomes-fin',
    title: 'A reset becomes a regular end',
    happens:
      'One end aborts, and the other one sees an orderly close. What was cut off looks complete: a truncated file without its length passes for a whole one, and a database session that failed for one that ended.',
    why: 'A reset makes read(2) fail with ECONNRESET, and a proxy answers any error with close(2), which sends a FIN when nothing is left unread. To send a reset takes SO_LINGER with 0 seconds, or TCP_REPAIR, on purpose.',
    instead:
      'When one side fails with ECONNRESET, set SO_LINGER to 0 on the other one and close it. Send first what came before the reset.',
    standard: 'RFC 9293 section 3.5.2 (what a reset means) and section 3.5.3 (who gets one aborts).',
  },
  {
    number: 35,
    slug: 'last-data-lost',
    title: 'The last data before the end is lost',
    happens:
      'An end sends its last 100 kB and closes. The end of them never arrives: a reset came first, or the FIN came early. Or the other way round, a program closes with data unread, and its peer is told by a regular FIN that all was read.',
    why: 'close(2) with unread data in the receive queue sends a reset and drops what still waits to be sent; many stacks also drop what they have received when a reset comes. A proxy that closes both sockets when one of them has ended does this whenever data crosses. A reset that overtakes buffered data in user space does the same.',
    instead:
      'Write all that was read, then shutdown(2), then wait for the other side. Only when an end has closed with data unread, pass on the reset.',
    standard: 'RFC 9293 section 3.6 and section 3.6.1 (SHLD-3: a close with data pending sends a reset).',
  },
  {
    number: 36,
    slug: 'restart-leaves-orphans',
    title: 'After a restart the ends wait for nobody',
    happens:
      'The box is restarted. The connections that it had are gone, and neither end is told: each waits until a keep-alive or a timeout of its own finds out, minutes or hours later. Worse, segments that are now forwarded reach the far end with numbers that it does not know.',
    why: 'The sockets of a process that is killed are closed by the kernel, with resets or FINs; but a box that loses power, or that removes its rules first, sends nothing. Afterwards a segment of an end finds no socket: without the rules it is forwarded to the other end, whose numbers are those of the other leg.',
    instead:
      'Hand connections over to the next process, or keep them in the kernel. Where they are lost, answer what the ends say with a reset that they accept; keep the rules until the last connection is gone.',
    standard: 'RFC 9293 section 3.5.1 (half-open connections are found and reset when one end sends).',
  },
];
