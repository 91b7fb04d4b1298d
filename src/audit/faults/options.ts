import type { Fault } from './fault.js';

export const options: Fault[] = [
  {
    number: 8,
    slug: 'sack-on-one-leg',
    title: 'Selective acknowledgements that do not fit',
    happens:
      'One end believes that SACK was agreed and the other one does not; or SACK blocks arrive that name bytes which their receiver never sent. After a single loss a sender repeats everything, or stalls until its timer fires.',
    why: 'Two sockets mean two handshakes, and each kernel offers what its own settings say (net.ipv4.tcp_sack), not what the far end said. Boxes that change initial sequence numbers translate the acknowledgement number and forget the blocks, which lie in the options.',
    instead:
      'Offer to each side what the other one offered. If sequence numbers are changed, change them in SACK blocks, in ICMP quotes and in resets too; it is simpler not to change them.',
    standard:
      'RFC 2018 section 2 (SACK-permitted), section 3 (blocks hold sequence numbers); RFC 9293 section 3.4.1.',
  },
  {
    number: 9,
    slug: 'timestamps-on-one-leg',
    title: 'Timestamps that come and go',
    happens:
      'The SYN had the timestamps option and the answer did not, or data comes without it though both ends have agreed. Segments without it may be dropped by a strict receiver; on fast paths an old segment can pass for a new one; an echo of a value that was never sent spoils the measurement of round trips.',
    why: 'Each leg has its own clock and its own settings. Rules that strip the option from SYNs in one direction, and stacks that forget it on keep-alives, probes or resets, break the agreement in the middle. A box that answers for the server in mid-connection has no valid TSecr to give.',
    instead:
      'Agree on timestamps on both legs or on neither. Put the option on every segment once agreed. Echo what came on that leg.',
    standard:
      'RFC 7323 section 3.2 (on every segment but resets once agreed; no abort when one is missing) and section 4.3 (which value is echoed).',
  },
  {
    number: 10,
    slug: 'window-scale',
    title: 'Windows read by the wrong scale',
    happens:
      'With the scale taken away or assumed, a window of 4 MB is read as 64 kB or less and long paths are slow; or one of 8 kB is read as a megabyte, and what does not fit is dropped and sent again. It depends on the distance, so that tests in the same building show nothing.',
    why: 'The scale is said once, in the SYN. A box that joins later, or that answers a SYN before the server has, must guess it; a SYN proxy has to be configured with the value that the servers will use. Settings on the box (tcp_window_scaling, tcp_rmem) replace those of the ends.',
    instead:
      'Take the scale of each side from its own SYN and apply it on the leg where it was said. If a side has not offered scaling, neither leg may use it.',
    standard:
      'RFC 7323 section 2.2 (both must offer it; it is not applied in SYNs) and section 2.3 (how windows are read).',
  },
  {
    number: 11,
    slug: 'unknown-options',
    title: 'Unknown options are stripped, refused or echoed',
    happens:
      'An option that the box does not know is missing at the other end, or its connection is reset, or the answer carries it as if the server had agreed. Nothing new can be deployed behind such a box, and an echo makes a client speak a protocol that the server does not.',
    why: 'Two ordinary sockets carry the options of the kernel and nothing else: what the client said is gone with the first leg. Filters that normalise options replace unknown ones by padding. Echoes come from boxes that copy the options of the SYN into the SYN-ACK.',
    instead:
      'Forward connections whose options you cannot carry. Whoever must strip takes the option out of the SYN, so that the ends agree on doing without it. Never answer with an option that the server has not sent.',
    standard: 'RFC 9293 section 3.1 (MUST-6: ignore options that are not implemented, without error).',
  },
  {
    number: 12,
    slug: 'multipath-and-signatures',
    title: 'Multipath TCP and signed segments break in the middle',
    happens:
      'The ends agree on Multipath TCP in the handshake, and the data has no such options: the connection falls back with a delay, or is reset. Or a BGP session with signatures (MD5, TCP-AO) does not come up at all.',
    why: 'The handshake passed the box and the data goes through two sockets that know nothing of these options. A signature covers addresses, ports and data, and TCP-AO by default the options too, so that nothing that the box sends in its own right can carry a valid one.',
    instead:
      'Decide at the SYN: leave such connections alone, or take MP_CAPABLE out of the SYN, from which both ends fall back cleanly. For signed sessions leaving them alone is the only way.',
    standard:
      'RFC 8684 section 3.7 (fallback) and section 3.1; RFC 2385 section 2; RFC 5925 section 9 (interactions with middleboxes).',
  },
  {
    number: 13,
    slug: 'malformed-options',
    title: 'A malformed option disturbs the box',
    happens:
      'One SYN with an option of length 0, or one that reaches past the header, stops the box, loops, or makes it lose the connections of others.',
    why: 'A parser of options walks by the length that each option states. With length 0 it stays where it is; with one that is too large it reads behind the header. Kernels learned this long ago (tcp_parse_options gives up on such a length); parsers in filters, in BPF programs and in user-space stacks are younger.',
    instead:
      'Stop at the first option whose length is below 2 or beyond the header, and judge the segment by what came before. What happens to that one connection matters little; others must not notice.',
    standard: 'RFC 9293 section 3.1 (MUST-7: be prepared for illegal lengths, zero for example).',
  },
];
