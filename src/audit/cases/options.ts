import { tcpFlags } from '../../wire/tcp.js';
import { type AuditCase, found } from '../case.js';
import type { RawSegment } from '../raw-segment.js';
import { connectedTalk, deliver, optionsOf, segmentText, shakeHands, usual } from './talk.js';

const transparent = 'carry to each side what the other one said, and nothing else';

/** Kinds that no stack gives a meaning, in the SYN and in its answer. */
const unknown = [
  { name: '253', bytes: [253, 6, 0x12, 0x34, 1, 1] },
  { name: '77', bytes: [77, 5, 1, 2, 3] },
] as const;

export const options: AuditCase[] = [
  {
    id: 'option-order-as-sent',
    group: 'options',
    faults: [11],
    by: 'raw',
    right: 'the options of a SYN arrive in their order, padding included',
    standard: 'RFC 9293 section 3.1; that nobody changes them is transparency',
    consequence: 'hosts are taken for others by those who look at the order',
    mend: 'copy the options as they are',
    sent: 'a SYN with MSS, SACK permitted, timestamps, padding and window scale, in the order of Linux',
    async run(stage) {
      const bytes = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7];
      const { syn, synAck } = await connectedTalk(stage, {
        syn: { options: {}, optionBytes: bytes },
        synAck: { options: { ...usual, tsval: 5000, tsecr: 0x10203 } },
      });
      const came = optionsOf(syn);
      const sent = ['mss 1460', 'sackOK', 'TS', 'nop', 'wscale 7'];
      const sorted = (all: string[]) =>
        all
          .filter((each) => each !== 'nop')
          .sort()
          .join();
      return found(
        { client: segmentText(synAck), server: came.join(',') },
        sorted(came.map(kindOf)) !== sorted(sent.map(kindOf)) && 'other options arrived than were sent',
        came.join() !== sent.join() && 'their order, padding or values were changed',
      );
    },
  },
  {
    id: 'unknown-option-in-syn',
    group: 'options',
    faults: [11],
    by: 'raw',
    right: 'options that the box does not know reach the other end, and are never echoed by it',
    standard: 'RFC 9293 section 3.1 (MUST-6)',
    consequence: 'nothing new can be negotiated; an echo makes a client believe that the server can do it',
    mend: transparent,
    sent: `SYNs with options of kinds ${unknown.map(({ name }) => name).join(' and ')}, which the server does not answer`,
    async run(stage) {
      const seen = { client: [] as string[], server: [] as string[] };
      const wrong: (string | false)[] = [];
      for (const [at, { name, bytes }] of unknown.entries()) {
        const { syn, synAck } = await shakeHands(stage, { syn: { optionBytes: [...bytes] }, at });
        const has = (segment: RawSegment | undefined) => segment?.options.others.includes(bytes[0]) ?? false;
        seen.server.push(`${name}: ${syn ? (has(syn) ? 'there' : 'gone') : 'no SYN'}`);
        seen.client.push(`${name}: ${synAck ? (has(synAck) ? 'echoed' : 'not echoed') : 'no answer'}`);
        wrong.push(
          !syn && `a SYN with option ${name} does not reach the server`,
          !synAck && `a SYN with option ${name} is not answered`,
          !!synAck && (synAck.flags & tcpFlags.rst) !== 0 && `a SYN with option ${name} is reset`,
          has(synAck) && `option ${name} is echoed, and the server did not do it`,
          !!syn && !has(syn) && `option ${name} was taken out`,
        );
      }
      return found({ client: seen.client.join(', '), server: seen.server.join(', ') }, wrong);
    },
  },
  {
    id: 'unknown-option-on-data',
    group: 'options',
    faults: [11],
    by: 'raw',
    right: 'a segment with an option that nobody knows arrives, with its data',
    standard: 'RFC 9293 section 3.1 (MUST-6)',
    consequence: 'connections stall in the middle as soon as an end uses something new',
    mend: 'ignore what you do not know',
    sent: '100 bytes with an option of kind 253, behind a usual handshake',
    async run(stage) {
      const { c, s } = await connectedTalk(stage);
      await deliver(c, s, 50);
      await c.send('P.', { length: 100, optionBytes: [253, 4, 0x12, 0x34] });
      await s.receive(151);
      const carrier = s.last && s.last.payload.length > 0 ? s.last : undefined;
      const there = carrier?.options.others.includes(253) ?? false;
      return found(
        { client: 'sent it', server: `${s.received - 1} bytes, the option ${there ? 'there' : 'gone'}` },
        s.received < 151 && 'the data did not arrive',
        !there && 'the option was taken out',
      );
    },
  },
  {
    id: 'fast-open-option-passes',
    group: 'options',
    faults: [4],
    by: 'raw',
    right: 'the request for a Fast Open cookie passes, and so does the cookie',
    standard: 'RFC 7413 section 4.1',
    consequence: 'Fast Open is switched off for everybody behind the box',
    mend: transparent,
    sent: 'a SYN that asks for a cookie, and a SYN-ACK with one',
    async run(stage) {
      const { syn, synAck } = await connectedTalk(stage, {
        syn: { optionBytes: [34, 2] },
        synAck: { optionBytes: [34, 10, 1, 2, 3, 4, 5, 6, 7, 8] },
      });
      const asked = syn.options.others.includes(34);
      const answered = synAck.options.others.includes(34);
      return found(
        { client: segmentText(synAck), server: segmentText(syn) },
        [
          asked && !answered && 'the request passed, and the cookie did not',
          !asked && answered && 'the cookie came for a request that the server never saw',
        ],
        !asked && 'the request was taken out',
      );
    },
  },
  {
    id: 'mptcp-whole-or-not-at-all',
    group: 'options',
    faults: [12],
    by: 'raw',
    right: 'Multipath TCP passes in all segments, or is taken out of the SYN',
    standard: 'RFC 8684 sections 3.1 and 3.7',
    consequence: 'the ends agree on Multipath TCP and then see none: the connection is reset or stalls',
    mend: 'leave connections with MP_CAPABLE alone, or strip it from the SYN',
    sent: 'MP_CAPABLE in SYN and SYN-ACK, and a data sequence signal on the data',
    async run(stage) {
      const { c, s, syn, synAck } = await connectedTalk(stage, {
        syn: { optionBytes: [30, 4, 0x01, 0x81] },
        synAck: { optionBytes: [30, 12, 0x01, 0x81, 1, 2, 3, 4, 5, 6, 7, 8] },
      });
      const dss = [30, 8, 0x20, 0x01, 0, 0, 0, 1];
      await c.send('P.', { length: 100, optionBytes: dss });
      await s.receive(101);
      const has = (segment: RawSegment | undefined) => segment?.options.others.includes(30) ?? false;
      const marks = [has(syn), has(synAck), has(s.last)];
      const text = ['SYN', 'SYN-ACK', 'data'].map((name, i) => `${name} ${marks[i] ? 'with' : 'without'}`);
      return found(
        { client: text[1] as string, server: `${text[0]}, ${text[2]}; ${s.received - 1} bytes` },
        [
          marks[0] && !marks[1] && 'the offer passed, and the answer did not',
          !marks[0] && marks[1] && 'the answer came to an offer that the server never saw',
          marks[0] && marks[1] && !marks[2] && 'both agreed, and the options of the data were taken out',
          s.received < 101 && 'the data did not arrive',
        ],
        !marks[0] && 'the offer was taken out',
      );
    },
  },
  {
    id: 'signed-segments-untouched',
    group: 'options',
    faults: [12],
    by: 'raw',
    right: 'segments with a signature arrive as they were sent',
    standard: 'RFC 2385 section 2; RFC 5925 section 5.1',
    consequence: 'routers that sign their BGP sessions cannot connect through the box',
    mend: 'leave connections with such an option alone',
    sent: 'SYN, SYN-ACK and data with an option of kind 19, which covers ports, numbers, flags and data',
    async run(stage) {
      const optionBytes = [19, 18, ...Array<number>(16).fill(0x5a)];
      const { c, s, syn, synAck } = await connectedTalk(stage, {
        syn: { optionBytes },
        synAck: { optionBytes },
      });
      await c.send('P.', { length: 100, optionBytes });
      await s.receive(101);
      const data = s.last;
      const signed = (segment: RawSegment | undefined) => segment?.options.others.includes(19) ?? false;
      const exact =
        syn.seq === c.initial &&
        synAck.seq === s.initial &&
        syn.sourcePort === c.port &&
        data?.seq === (c.isn + 1) >>> 0;
      return found({ client: segmentText(synAck), server: `${segmentText(syn)}; ${segmentText(data)}` }, [
        s.received < 101 && 'the data did not arrive',
        !(signed(syn) && signed(synAck) && signed(data)) && 'signatures were taken out',
        !exact && 'ports or sequence numbers were changed, which the signature covers',
        data && data.payload.length !== 100 && 'the data was cut in other pieces than were signed',
      ]);
    },
  },
  {
    id: 'malformed-option-survived',
    group: 'options',
    faults: [13],
    by: 'raw',
    right: 'an option of length 0 may cost its own connection, nothing else',
    standard: 'RFC 9293 section 3.1 (MUST-7)',
    consequence: 'one packet stops the box, or makes it read past the header',
    mend: 'stop at the first option whose length cannot be',
    sent: 'a SYN with an option of length 0; then a usual handshake, and data',
    async run(stage) {
      const odd = await shakeHands(stage, { syn: { options: { mss: 1460 }, optionBytes: [77, 0, 0, 0] } });
      const next = await shakeHands(stage, { at: 1 });
      const alive = next.syn && next.synAck ? await deliver(next.c, next.s, 100) : false;
      return found(
        {
          client: `${segmentText(odd.synAck)}; afterwards ${segmentText(next.synAck)}`,
          server: `${segmentText(odd.syn)}; afterwards ${segmentText(next.syn)}`,
        },
        !alive && 'afterwards nothing passed any more',
        !odd.syn && 'the odd SYN did not reach the server',
      );
    },
  },
];

const kindOf = (text: string): string => text.split(' ')[0] as string;
