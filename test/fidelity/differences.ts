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
  {
    name: 'reset-by-a-socket',
    reason:
      'where a closed port answers late data by a bare RST, our socket, which has acknowledged that data, resets with ACK and timestamps (RFC 9293 section 3.10.4); either ends the connection at once (section 3.10.7.4)',
    onRequest: true,
    covers: ({ name }) => name === 'rst.flags' || name === 'rst.ack' || name === 'rst.header',
  },
  {
    name: 'buffered-in-the-middle',
    reason:
      'our socket grants a window of its own (RFC 9293 section 3.8.6), so that an end can have sent more than the other has room for: its reset then ends a longer stream, may be repeated for acknowledgements that are still on their way, and waits for as long as the other end goes on acknowledging',
    onRequest: true,
    covers: ({ name, where }) => name === 'data.end' || (name.startsWith('rst.') && !where.endsWith('<)')),
  },
  {
    name: 'clock-of-the-leg',
    reason:
      'what an end says after our socket has gone is answered by the end that went first, and echoes the clock of the leg, which may be a little ahead of that end; an end without a socket looks at the acknowledgement alone (RFC 9293 section 3.10.7.1)',
    onRequest: true,
    covers: ({ name, forwarding, desplice }) =>
      (name === 'ack.header' && /^ttl 63 [^,]*TS[^,]*, TSecr echoes what was not sent$/.test(desplice)) ||
      (name === 'data.notes' &&
        forwarding === 'nothing of note' &&
        desplice === 'TSecr echoes what was not sent'),
  },
  {
    name: 'option-in-mid-flow',
    reason:
      'an unknown option in a segment after the takeover ends at the socket in the middle: the handshake did not announce it, and RFC 9293 MUST-6 has the receiver ignore it',
    onRequest: true,
    covers: ({ name, where }) => /^data\.(end|missing)$/.test(name) && where.startsWith('at the server'),
  },
  {
    name: 'forged-stays-here',
    reason:
      'a RST or SYN that is no part of the connection is dropped or challenged (RFC 5961 sections 3 and 4) by our socket as the end would have done it, and so is data that acknowledges what was never sent (section 5); it does not reach the end, and who sent it sees the same',
    onRequest: true,
    covers: ({ name, where, forwarding, desplice }) =>
      arriving(where) &&
      ((/^(rst|syn)\.missing$/.test(name) && desplice === 'nothing') ||
        (name === 'data.notes' &&
          forwarding === 'acknowledges what was not sent' &&
          desplice === 'nothing of note')),
  },
  {
    name: 'waits-in-the-middle',
    reason:
      'data for an end with a closed window has left its sender and waits in the middle, up to the buffers of two sockets and a pipe: a split connection (RFC 3135 section 2.4)',
    onRequest: true,
    covers: ({ name, forwarding, desplice }) => name === 'data.end' && Number(desplice) > Number(forwarding),
  },
  {
    name: 'timeout-as-reset',
    reason:
      'no packet makes a kernel report ETIMEDOUT: where data of an end was acknowledged in the middle and is not by the other end, the reset of RFC 9293 section 3.10.8 (USER TIMEOUT) reaches the end instead of its own timer',
    onRequest: true,
    covers: ({ name, where, forwarding, desplice }) =>
      (name === 'rst.extra' && arriving(where) && forwarding === 'nothing') ||
      (name === 'call' &&
        forwarding.endsWith(' = 0 bytes, ETIMEDOUT') &&
        desplice === forwarding.replace(/ETIMEDOUT$/, 'ECONNRESET')),
  },
  {
    name: 'stripped',
    reason:
      'the rule says `unsupported: strip`: NOPs stand where the option stood, and AccECN is offered as classic ECN',
    onRequest: true,
    covers: ({ name, where, forwarding, desplice }) =>
      (where === 'at the server, >' || where === 'at the client, <') &&
      ((name === 'syn.detail' && withoutForeign(forwarding) === desplice) ||
        (name === 'syn.flags' && forwarding === 'SYN ECE CWR AE' && desplice === 'SYN ECE CWR')),
  },
  {
    name: 'no-ecn',
    reason: 'the rule says `ecn: off`: the flags that offer ECN do not pass',
    onRequest: true,
    covers: ({ name, where, forwarding, desplice }) =>
      where === 'at the server, >' &&
      name === 'syn.flags' &&
      /^SYN ECE CWR( AE)?$/.test(forwarding) &&
      desplice === 'SYN',
  },
];

/** What an end receives, not what it sends. */
function arriving(where: string): boolean {
  return where === 'at the server, >' || where === 'at the client, <';
}

/** The options of a SYN as `unsupported: strip` leaves them: NOPs in the place of what is foreign. */
function withoutForeign(detail: string): string {
  const nops = (_: string, data = '') =>
    Array(2 + data.length / 2)
      .fill('nop')
      .join(',');
  return detail.replaceAll(/option \d+(?: ([0-9a-f]+))?/g, nops);
}

function withoutPathMtu(call: string): string {
  return call.startsWith('TCP_INFO = ') ? call.replace(/(sendMss|pathMtu) \d+/g, '$1') : call;
}

export function allowed(found: Found, scenario: Scenario): Allowed | undefined {
  return differences.find(
    (each) => (!each.onRequest || scenario.differences?.includes(each.name)) && each.covers(found),
  );
}
