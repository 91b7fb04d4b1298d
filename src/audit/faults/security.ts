import type { Fault } from './fault.js';

export const security: Fault[] = [
  {
    number: 56,
    slug: 'listener-reachable',
    title: 'The listener of the box can be reached directly',
    happens:
      'Anybody connects to the port on which the box listens for diverted connections, and gets relayed to an address of their choice, or to the box itself, again and again. It is an open proxy that nobody meant to run.',
    why: 'The port of a TPROXY listener is an ordinary one. If it is bound to all addresses, packets that were never diverted reach it as well, and then the "original destination" is the box.',
    instead:
      'Bind the listener to the loopback and name that address in the tproxy rule, or drop in the input chain what has no mark. Refuse connections whose destination is your own port.',
    standard: 'None; it is a matter of the configuration.',
  },
  {
    number: 57,
    slug: 'syn-flood',
    title: 'A flood of SYNs stops the box',
    happens:
      'Some thousand SYNs with forged addresses, and no new connection passes, to any server behind the box. The servers themselves would have withstood.',
    why: 'The box keeps something for each SYN: an entry, a timer, an own connection that waits for its server. Its limit on half-open connections is shared by all servers behind it. SYN cookies help a listener, but not a table of holds, nor the sockets that connect.',
    instead:
      'Keep nothing large before a handshake is complete, bound the table, replace the oldest entry, and forward what does not fit.',
    standard: 'RFC 4987 section 3 (defences, SYN caches and cookies among them).',
  },
  {
    number: 58,
    slug: 'blind-attacks',
    title: 'Inexact resets and SYNs are believed',
    happens:
      'Somebody who cannot see the connection sends a reset whose number only has to lie in the window, or a SYN, or data with an impossible acknowledgement. The ends would challenge it. The box believes it and ends the connection, or carries the bytes on.',
    why: 'Tables in between follow RFC 793, where any number in the window will do, and do not know what the end answers. A box that has dropped its entry for such a reset then drops the challenge of the end as well, which leaves the connection half open.',
    instead:
      'Be as exact as the ends: accept a reset at the very next number only, and challenge others. Or forward such segments and let the end judge, and keep the entry until both ends are done.',
    standard: 'RFC 5961 sections 3.2, 4.2 and 5.2 (resets, SYNs, data), and section 9 on middleboxes.',
  },
  {
    number: 59,
    slug: 'state-never-released',
    title: 'State is never given back',
    happens:
      'Memory, files or entries grow for days, until the box refuses connections or is restarted. It correlates with clients that vanish: phones, laptops, scans.',
    why: 'One path out of many forgets to close: half-closed connections whose other half never ends, connects that never finish, pipes for splice(2) that were borrowed when the error came. In the kernel, CLOSE_WAIT has no timer, and an idle ESTABLISHED socket has none either without keep-alives.',
    instead:
      'Let each state have an end: a timer, or a probe. Count what is open, in tests after thousands of closes of every kind, and in operation.',
    standard: 'None for boxes; RFC 9293 section 3.6.1 bounds TIME-WAIT for the ends.',
  },
  {
    number: 60,
    slug: 'spoofed-sources',
    title: 'Packets with forged sources are made respectable',
    happens:
      'A packet from outside that claims an address of the inside (or the other way) reaches the box, which opens connections in the name of that address. What ingress filters would have stopped comes out again from a trusted place.',
    why: 'Transparent boxes need freedom that the kernel otherwise denies: foreign source addresses, reverse-path filters switched off (rp_filter), forwarding between all interfaces. The checks that these replaced have to be made elsewhere, and are not.',
    instead:
      'Filter sources by interface before you intercept (rp_filter loose or strict, `fib saddr . iif`), and intercept only from the interfaces where clients are.',
    standard: 'RFC 2827 section 3 (BCP 38: restrict forged traffic); RFC 9293 section 3.9.2.3 (MUST-63).',
  },
];
