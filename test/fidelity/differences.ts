/**
 * THE list of what may differ between plain forwarding and desplice. What is not here fails the test.
 */
import type { Found } from './harness/oracle.js';
import type { Scenario } from './harness/scenario.js';

export interface Allowed {
  name: string;
  reason: string;
  /** Only for scenarios that name it. */
  onRequest?: true;
  covers(found: Found): boolean;
}

/** What the timelines leave out for every scenario: it differs from run to run of plain forwarding, or means nothing to an end. */
export const leftOut: readonly { what: string; reason: string }[] = [
  {
    what: 'how data is cut into segments, and PSH',
    reason: 'TCP is a stream of bytes (RFC 9293 section 3.7); two runs of plain forwarding differ too',
  },
  {
    what: 'number and timing of bare acknowledgements',
    reason:
      'RFC 9293 section 3.8.6.3 leaves them to the receiver; what they look like and the last one are compared',
  },
  {
    what: 'repeated segments and probes, except in scenarios that ask for it (`nothingTwice`)',
    reason:
      'a tail loss probe goes out when an acknowledgement is late by some milliseconds (RFC 8985 section 7), which a busy machine is; what they look like is compared',
  },
  {
    what: 'windows, except in SYN and SYN-ACK',
    reason: 'they follow the memory and the pace of the receiver',
  },
  {
    what: 'which IPv6 flow label an end chooses, and when it changes it',
    reason: 'it is random, and Linux changes it after a loss; what arrives must be what was sent',
  },
  {
    what: 'the IPv4 identification',
    reason: 'it means nothing where DF is set (RFC 6864 section 4.1)',
  },
  {
    what: 'how often a closed port resets',
    reason: 'once for each segment that was on its way',
  },
  {
    what: 'how many ICMP errors of one kind a router sends',
    reason: 'one for each segment that was on its way',
  },
  {
    what: 'the receive MSS of TCP_INFO',
    reason: 'the kernel guesses it from the segments that came',
  },
];

export const differences: readonly Allowed[] = [
  {
    name: 'crossing-fin',
    reason:
      'where both ends close at once, our socket has acknowledged the FIN of one before the FIN of the other passes, so that the second says so; both states of RFC 9293 figure 13 and of figure 12 end in the same TIME_WAIT',
    onRequest: true,
    covers: ({ name }) => name === 'fin.ack',
  },
  {
    name: 'acknowledged-in-the-middle',
    reason:
      'our socket acknowledges what it has received, also while the other end has not received it; where that never comes to pass, the reset says so',
    onRequest: true,
    covers: ({ name, forwarding, desplice }) => name === 'rst.ack' && Number(desplice) > Number(forwarding),
  },
  {
    name: 'dropped-in-the-middle',
    reason:
      'a segment with a wrong checksum gets as far as who checks it: our socket, and not the end behind it',
    onRequest: true,
    covers: ({ name }) => name === 'rst.missing',
  },
  {
    name: 'error-for-the-leg',
    reason:
      'an ICMP error goes to who sent the packet that it quotes (RFC 792, RFC 4443 section 3), and behind the middle that is our socket: it learns the path MTU of its leg, and the end, which sent no such packet, keeps that of its own',
    onRequest: true,
    covers: ({ name, forwarding, desplice }) =>
      name === 'icmp.missing' || (name === 'call' && withoutPathMtu(forwarding) === withoutPathMtu(desplice)),
  },
];

function withoutPathMtu(call: string): string {
  return call.startsWith('TCP_INFO = ') ? call.replace(/(sendMss|pathMtu) \d+/g, '$1') : call;
}

export function allowed(found: Found, scenario: Scenario): Allowed | undefined {
  return differences.find(
    (each) => (!each.onRequest || scenario.differences?.includes(each.name)) && each.covers(found),
  );
}
