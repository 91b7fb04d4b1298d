import type { Fault } from './fault.js';

export const liveness: Fault[] = [
  {
    number: 37,
    slug: 'keep-alives-answered',
    title: 'The box answers keep-alives for a peer that is gone',
    happens:
      'A client probes an idle connection, and is answered each time, though the server lost its power an hour ago. The connection stays for ever, and so does whatever waits for it. Connections to machines that are gone pile up at both ends.',
    why: 'A keep-alive is a segment with an old sequence number, which asks for an acknowledgement. The socket of the box answers it at once by itself. Nothing of it is seen by the proxy, and on the other leg nobody asks anything, since SO_KEEPALIVE is off there.',
    instead:
      'Pass probes to the other end and answer when that one has answered; or switch keep-alives on for both legs, with short intervals, and end one leg when the other one is found dead.',
    standard:
      'RFC 9293 section 3.8.4; RFC 1122 section 4.2.3.6; RFC 3135 section 4.1.4 (failures are noticed late behind a proxy).',
  },
  {
    number: 38,
    slug: 'back-pressure-lost',
    title: 'A slow reader does not slow the sender',
    happens:
      'The server stops reading, and the client sends on: megabytes disappear into the box, which fills its memory for whoever asks. Or the box loses patience with a window that stays closed, and cuts off the printer, the tape, the paused download.',
    why: 'A proxy that reads whenever it can, and keeps in user space what the other side does not take, has no limit but its memory. Two kernel buffers in a row, which grow by themselves (tcp_rmem, tcp_wmem), add some megabytes even without that. The early end comes from idle timers that count bytes and not acknowledgements.',
    instead:
      'Stop reading on one side while the other one does not take what is there. Bound the buffers. Leave a closed window open for as long as probes of it are answered.',
    standard:
      'RFC 9293 section 3.8.6 and section 3.8.6.1 (MUST-36, MUST-37: probe, and stay as long as probes are answered).',
  },
  {
    number: 39,
    slug: 'idle-connections-forgotten',
    title: 'Idle connections are forgotten',
    happens:
      'A connection that says nothing for some minutes is dead afterwards: the next data is dropped or reset. The ends believed in it, so that a user waits for a timeout first. SSH sessions over lunch, pools of database connections and push notifications know it.',
    why: 'Entries in tables cost memory, and somebody has set a short time for all. Without a reset to both ends, they are not told. Proxies have their own limits, a minute by default in some.',
    instead:
      'Keep established connections for at least 2 hours and 4 minutes, so that keep-alives with their default of two hours are in time. Whoever ends one earlier should reset both ends.',
    standard:
      'RFC 5382 REQ-5 (2 hours 4 minutes; 4 minutes for connections that open or close); RFC 7857 section 2.1 and section 2.2.',
  },
  {
    number: 40,
    slug: 'gives-up-early',
    title: 'The box gives up before the ends would',
    happens:
      'A link is down for a minute. Both ends would have gone on afterwards: their kernels send again for a quarter of an hour. The box has ended the connection meanwhile, or failed to open it after a few seconds.',
    why: 'The timers of the leg are those of the box: tcp_retries2, tcp_syn_retries, TCP_USER_TIMEOUT, and the timeout for connections that its configuration has. An option by which an end can ask for another limit (the User Timeout Option) does not pass two sockets.',
    instead:
      'Be at least as patient as the ends: 100 seconds for data and 3 minutes for a SYN, which are lower bounds. Let the end that sent the SYN decide when to give up.',
    standard:
      'RFC 9293 section 3.8.3 (R2 of at least 100 seconds; of 3 minutes for a SYN, MUST-23); RFC 5482 on user timeouts.',
  },
  {
    number: 41,
    slug: 'early-acknowledgement',
    title: 'Data is acknowledged before it has arrived',
    happens:
      'The client is told that its data is there. It is in the box. If the box or the far leg fails now, the data is gone, and the client has thrown its copy away. Programs that look at what is unacknowledged (SIOCOUTQ, tcpi_unacked) and user timeouts get wrong answers.',
    why: 'A socket acknowledges what it has received; that is its task. Splitting a connection in two therefore acknowledges early, unless the box holds its acknowledgements back until those of the other leg come, which takes more than sockets. It is the price of a proxy, and sometimes its purpose (accelerators for satellites).',
    instead:
      'Where it matters, let one leg acknowledge what the other one has heard of; or leave the connection alone as soon as possible. Programs need an answer of their own in any case.',
    standard:
      'RFC 3135 section 4.1.3 (a proxy that acknowledges early cannot guarantee delivery; an acknowledgement of the program is needed).',
  },
];
