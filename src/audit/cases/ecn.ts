import { type AuditCase, found } from '../case.js';
import { flagsOf, type RawSegment } from '../raw-segment.js';
import { connectedTalk, deliver, flagLetters, shakeHands } from './talk.js';

const ecnFlags = flagsOf('EWA');
const ecnText = (segment: RawSegment | undefined): string =>
  segment ? flagLetters(segment.flags & ecnFlags) || 'none' : 'no segment';
const bothLegs = 'negotiate ECN on both legs or on neither, and translate marks between them';

export const ecn: AuditCase[] = [
  {
    id: 'ecn-negotiated-end-to-end',
    group: 'ip-header',
    faults: [23],
    by: 'raw',
    right: 'the offer of ECN reaches the server, and its answer the client; or neither',
    standard: 'RFC 3168 section 6.1.1',
    consequence: 'one leg uses ECN and the other one does not: marks are lost, and a sender never slows down',
    mend: bothLegs,
    sent: 'a SYN with ECE and CWR, and a SYN-ACK with ECE',
    async run(stage) {
      const { syn, synAck } = await connectedTalk(stage, {
        syn: { letters: 'SEW' },
        synAck: { letters: 'S.E' },
      });
      const offered = (syn.flags & flagsOf('EW')) === flagsOf('EW');
      const answered = (synAck.flags & flagsOf('EW')) === flagsOf('E');
      return found(
        { client: ecnText(synAck), server: ecnText(syn) },
        [
          offered && !answered && 'the offer passed, and the answer did not',
          !offered && answered && 'the answer came to an offer that the server never saw',
        ],
        !offered && 'the offer was taken out',
      );
    },
  },
  {
    id: 'ecn-not-invented',
    group: 'ip-header',
    faults: [23],
    by: 'raw',
    right: 'where the ends do not speak of ECN, nobody does',
    standard: 'RFC 3168 section 6.1.1',
    consequence: 'packets are marked where nobody slows down for it',
    mend: bothLegs,
    sent: 'a handshake and data without any ECN bits',
    async run(stage) {
      const { c, s, syn, synAck } = await connectedTalk(stage);
      await deliver(c, s, 100);
      const marked = [syn, synAck, s.last].some(
        (each) => each && (each.flags & ecnFlags || (each.ip.tos & 3) !== 0),
      );
      return found(
        { client: ecnText(synAck), server: `${ecnText(syn)}; data ${s.last ? s.last.ip.tos & 3 : 'none'}` },
        marked && 'bits of ECN appeared that no end has sent',
      );
    },
  },
  {
    id: 'congestion-marks-arrive',
    group: 'ip-header',
    faults: [23],
    by: 'raw',
    right: 'a mark of congestion on data reaches the receiver, or is answered in its place',
    standard: 'RFC 3168 sections 5 and 6.1.3',
    consequence:
      'routers ask for less, and the sender never hears of it: queues grow until packets are dropped',
    mend: bothLegs,
    sent: 'ECT(0) and then CE on data, behind a handshake that agreed on ECN',
    async run(stage) {
      const { c, s, syn, synAck } = await connectedTalk(stage, {
        syn: { letters: 'SEW' },
        synAck: { letters: 'S.E' },
      });
      const agreed = (syn.flags & flagsOf('E')) !== 0 && (synAck.flags & flagsOf('E')) !== 0;
      const marks: number[] = [];
      let echoed = false;
      for (const tos of [2, 3]) {
        await c.send('P.', { length: 100, tos });
        await s.receive(c.next);
        marks.push(s.last ? s.last.ip.tos & 3 : -1);
        await c.expect('.', { patienceMs: 200 });
        echoed ||= ((c.last?.flags ?? 0) & flagsOf('E')) !== 0;
      }
      const seen = { client: echoed ? 'ECE' : 'no ECE', server: `ECN field ${marks.join(', then ')}` };
      return found(
        seen,
        agreed && [
          marks[1] !== 3 && !echoed && 'the mark was lost: neither did it arrive, nor was it answered',
          marks[0] === 0 && 'data went on as not capable of ECN, though both ends had agreed on it',
        ],
        !agreed && 'ECN was not agreed on',
      );
    },
  },
  {
    id: 'accurate-ecn-flags-as-sent',
    group: 'ip-header',
    faults: [24],
    by: 'raw',
    right: 'the three flags of Accurate ECN pass in SYN and SYN-ACK',
    standard: 'RFC 9768 section 3.1.1',
    consequence: 'an offer is read as another one, and the ends disagree on what marks mean',
    mend: 'treat the flags AE, CWR and ECE as one field',
    sent: 'a SYN with AE, CWR and ECE, and a SYN-ACK with CWR',
    async run(stage) {
      const { syn, synAck } = await shakeHands(stage, {
        syn: { letters: 'SEWA' },
        synAck: { letters: 'S.W' },
      });
      const offer = syn ? syn.flags & ecnFlags : -1;
      const answer = synAck ? synAck.flags & ecnFlags : -1;
      return found(
        { client: ecnText(synAck), server: ecnText(syn) },
        [
          !syn && 'the SYN did not reach the server',
          !synAck && 'no answer reached the client',
          offer > 0 && offer !== ecnFlags && `the offer EWA arrived as ${flagLetters(offer)}`,
          offer === ecnFlags &&
            answer !== flagsOf('W') &&
            `the answer W arrived as ${flagLetters(answer) || 'none'}`,
          offer === 0 && answer > 0 && 'an answer came to an offer that the server never saw',
        ],
        offer === 0 && 'the offer was taken out',
      );
    },
  },
  {
    id: 'congestion-echo-answered',
    group: 'ip-header',
    faults: [23, 24],
    by: 'raw',
    right:
      'CWR and ECE on data, in a connection that uses ECN, reach the other end or are answered by the box',
    standard: 'RFC 3168 section 6.1.3',
    consequence: 'a receiver repeats its echo for ever, and the sender stays slow',
    mend: bothLegs,
    sent: 'ECE by the server, then CWR by the client',
    async run(stage) {
      const { c, s, syn, synAck } = await connectedTalk(stage, {
        syn: { letters: 'SEW' },
        synAck: { letters: 'S.E' },
      });
      const agreed = (syn.flags & flagsOf('E')) !== 0 && (synAck.flags & flagsOf('E')) !== 0;
      await c.send('P.', { length: 100, tos: 2 });
      const data = await s.hears(1000);
      c.segments.length = 0;
      await s.send('.E');
      await c.hears(300);
      const echo = ((c.last?.flags ?? 0) & flagsOf('E')) !== 0;
      s.segments.length = 0;
      await c.send('P.W', { length: 100, tos: 2 });
      await s.receive(201);
      const reduced = ((s.last?.flags ?? 0) & flagsOf('W')) !== 0;
      return found(
        { client: echo ? 'ECE' : 'no ECE', server: reduced ? 'CWR' : 'no CWR' },
        [
          !data && 'data did not arrive',
          agreed && !reduced && 'nobody told the server that the sender had slowed down',
        ],
        [
          !agreed && 'ECN was not agreed on',
          !echo && 'ECE did not reach the client: the box has answered it',
        ],
      );
    },
  },
];
