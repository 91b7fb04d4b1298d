/** Where the catalogue of faults is wrong or unclear, by its numbers: what the standards say, and what the scenarios go by. */
export const catalogueNotes: readonly { faults: readonly number[]; note: string }[] = [
  {
    faults: [12],
    note: 'the fallback of MPTCP is in RFC 8684 section 3.7; section 6 is about middleboxes. MD5 and TCP-AO are not only bypassed: they must never be stripped, since an end with a key drops what is not signed (RFC 2385 section 2, RFC 5925 section 7.3)',
  },
  {
    faults: [15],
    note: 'RFC 9293 gives no lower bound for an MSS. Linux sends no less than 48 bytes (tcp_min_snd_mss) and lets nobody set less than 88 (TCP_MIN_MSS), so a flow with an MSS of 1 to 87 is forwarded; 0 counts as absent, as in tcp_parse_options()',
  },
  {
    faults: [26],
    note: 'a reset TTL that is documented is not enough here: each end sees what forwarding would have left, and GTSM (RFC 5082) holds its promise',
  },
  {
    faults: [37, 40, 41],
    note: 'these pull against each other: where what an end sends is acknowledged before it is delivered (41), its own timers (40) have nothing to count. RFC 3135 section 4.1.3 describes it, and no RFC says how long the middle may take; the timers of the middle decide (tcp_retries2 there)',
  },
  {
    faults: [45],
    note: 'MUST-61 of RFC 9293 is about setting PSH in the last segment of what is buffered; that nothing is delayed follows from section 3.9.1.2 (MUST-60: no buffering without end) and is compared as time',
  },
  {
    faults: [48],
    note: 'RFC 7045 section 2.1 asks of whoever looks into packets to recognise all standard extension headers; with one of them in a SYN, what follows would have to carry it too, which sockets do not, so such flows are forwarded',
  },
  {
    faults: [55],
    note: 'RFC 791 and RFC 8200 leave reassembly to the destination. Fragments of handshakes are forwarded as they are, so that their flow is not followed; fragments of taken flows are put together by the kernel that holds the sockets',
  },
];
