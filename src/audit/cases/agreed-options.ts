/** Options on which both ends agree. */
import type { SegmentOptions } from '../../wire/segment.js';
import { tcpFlags } from '../../wire/tcp.js';
import { type AuditCase, found, NotTested } from '../case.js';
import type { RawConnection } from '../raw-connection.js';
import type { RawSegment } from '../raw-segment.js';
import type { Stage } from '../stage.js';
import { connectedTalk, deliver, optionsOf, usual } from './talk.js';

interface AgreedOption {
  id: string;
  faults: number[];
  what: string;
  standard: string;
  consequence: string;
  /** What each end says, in one handshake after the other. */
  said: readonly { syn: SegmentOptions; synAck: SegmentOptions }[];
  /** The option by the name that `optionTexts` gives it. */
  name: RegExp;
}

/** Options on which both ends agree: each must hear what the other one said, in the SYN and in the SYN-ACK. */
const agreed: AgreedOption[] = [
  {
    id: 'sack-permitted-as-sent',
    faults: [8],
    what: 'SACK permitted',
    standard: 'RFC 2018 section 2',
    consequence:
      'after a loss one leg sends everything again, or an end sends blocks that the other one never asked for',
    said: [
      { syn: usual, synAck: usual },
      { syn: { mss: 1460, windowScale: 7 }, synAck: { mss: 1460, windowScale: 7 } },
    ],
    name: /^sackOK$/,
  },
  {
    id: 'window-scale-as-sent',
    faults: [10],
    what: 'the window scale',
    standard: 'RFC 7323 section 2.2',
    consequence: 'windows are read too small, and long paths are slow; or too large, and data is dropped',
    said: [
      { syn: { mss: 1460, windowScale: 3 }, synAck: { mss: 1460, windowScale: 9 } },
      { syn: { mss: 1460 }, synAck: { mss: 1460 } },
    ],
    name: /^wscale /,
  },
  {
    id: 'timestamps-as-sent',
    faults: [9],
    what: 'the timestamps option',
    standard: 'RFC 7323 section 3.2',
    consequence: 'no round trips are measured in losses, and old segments pass for new ones on fast paths',
    said: [
      { syn: { ...usual, tsval: 70_000, tsecr: 0 }, synAck: { ...usual, tsval: 90_000, tsecr: 70_000 } },
      { syn: usual, synAck: usual },
    ],
    name: /^TS$/,
  },
];

function agreedCase({ id, faults, what, standard, consequence, said, name }: AgreedOption): AuditCase {
  const pick = (segment: RawSegment) =>
    optionsOf(segment)
      .filter((text) => name.test(text))
      .join();
  const wanted = (options: SegmentOptions) =>
    [
      options.sackPermitted ? 'sackOK' : '',
      options.windowScale === undefined ? '' : `wscale ${options.windowScale}`,
      options.tsval === undefined ? '' : 'TS',
    ]
      .filter((text) => name.test(text))
      .join();
  return {
    id,
    group: 'options',
    faults,
    by: 'raw',
    right: `each end hears of ${what} what the other one said`,
    standard,
    consequence,
    mend: 'carry to each side what the other one said, and nothing else',
    sent: `two handshakes: both ends offer ${what}, and neither does`,
    async run(stage) {
      const seen = { client: [] as string[], server: [] as string[] };
      const wrong: (string | false)[] = [];
      for (const [at, { syn, synAck }] of said.entries()) {
        const talk = await connectedTalk(stage, { syn: { options: syn }, synAck: { options: synAck }, at });
        const [there, back] = [pick(talk.syn), pick(talk.synAck)];
        seen.server.push(there || 'none');
        seen.client.push(back || 'none');
        wrong.push(
          there !== wanted(syn) &&
            `the client said ${wanted(syn) || 'nothing'}, the server heard ${there || 'nothing'}`,
          back !== wanted(synAck) &&
            `the server said ${wanted(synAck) || 'nothing'}, the client heard ${back || 'nothing'}`,
        );
      }
      return found({ client: seen.client.join('; '), server: seen.server.join('; ') }, wrong);
    },
  };
}

export const agreedOptions: AuditCase[] = [
  ...agreed.map(agreedCase),
  {
    id: 'timestamps-on-every-segment',
    group: 'options',
    faults: [9],
    by: 'raw',
    right: 'once agreed, every segment has timestamps, and echoes one that was sent',
    standard: 'RFC 7323 sections 3.2 and 4.3',
    consequence: 'segments without them are dropped; wrong echoes make round trips seem long or negative',
    mend: 'let each leg keep its own clock and echo what came on that leg',
    sent: 'data both ways, with timestamps of known clocks',
    run: timestampsOnEverySegment,
  },
  {
    id: 'sack-blocks-name-what-came',
    group: 'options',
    faults: [8],
    by: 'raw',
    right: 'SACK blocks name bytes by the numbers with which their sender sent them',
    standard: 'RFC 2018 section 3',
    consequence: 'after a single loss a sender sends nothing or everything again, and connections stall',
    mend: 'translate SACK blocks with the sequence numbers, or leave the numbers alone',
    sent: '100 bytes, a hole of 100, and 100 more; the server acknowledges the last by a block',
    run: sackBlocks,
  },
];

async function timestampsOnEverySegment(stage: Stage) {
  const s = await stage.rawServer();
  const c = await stage.rawClient();
  c.useTimestamps(70_000);
  s.useTimestamps(900_000);
  const opened = Promise.all([s.open(usual), c.open(usual)]);
  const bad: string[] = [];
  let otherClock = false;
  const watch = (to: RawConnection, from: RawConnection, name: string) => {
    const hear = to.hear.bind(to);
    to.hear = (packet, gsoSize) => {
      const before = to.last;
      hear(packet, gsoSize);
      const segment = to.last;
      if (!segment || segment === before || segment.flags & (tcpFlags.rst | tcpFlags.syn)) return;
      const stamps = segment.options.timestamps;
      const start = to === s ? 900_000 : 70_000;
      if (!stamps) bad.push(`the ${name} got a segment without timestamps`);
      else if (stamps.tsecr < start || stamps.tsecr > to.tsval)
        bad.push(`the ${name} got the echo ${stamps.tsecr}`);
      otherClock ||= stamps !== null && Math.abs(stamps.tsval - from.tsval) > 2000;
    };
  };
  const trouble = (await opened).find((each) => each);
  if (trouble) throw new NotTested(trouble);
  watch(s, c, 'server');
  watch(c, s, 'client');
  const there = await deliver(c, s, 300);
  const back = await deliver(s, c, 2000 - 800);
  await deliver(c, s, 300);
  return found(
    { client: `${c.received - 1} bytes`, server: `${s.received - 1} bytes` },
    [bad[0], !(there && back) && 'data did not arrive'],
    otherClock && 'the values are those of another clock',
  );
}

async function sackBlocks(stage: Stage) {
  const { c, s } = await connectedTalk(stage);
  await deliver(c, s, 100);
  c.segments.length = 0;
  await c.send('P.', { seq: 201, length: 100 });
  const heard = await s.hears(700);
  if (heard) {
    const edge = (relative: number) =>
      [24, 16, 8, 0].map((bits) => (((s.peerIsn ?? 0) + relative) >>> bits) & 255);
    const block = [1, 1, 5, 10, ...edge(201), ...edge(301)];
    await s.send('.', { ack: 101, options: {}, optionBytes: block });
  }
  let edges: [number, number] | null = null;
  for (const until = Date.now() + 1500; !edges && Date.now() < until; ) {
    const answer = await c.expect('.', { patienceMs: until - Date.now() });
    edges = answer ? blockOf(answer) : null;
  }
  await c.send('P.', { seq: 101, length: 100 });
  await s.receive(301);
  const text = edges ? edges.map((edge) => (edge - c.isn) | 0).join(' to ') : 'no block';
  return found(
    { client: text, server: `${s.received - 1} bytes; the block was ${heard ? 'sent' : 'not sent'}` },
    [
      edges === null && 'no SACK block reached the client',
      edges !== null && text !== '201 to 301' && `the block names ${text}, and 201 to 301 had come`,
      s.received < 201 && 'the data did not arrive',
    ],
  );
}

/** The first block of a SACK option. */
function blockOf({ packet, ip, dataOffset }: RawSegment): [number, number] | null {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const end = ip.headerLength + dataOffset;
  for (let at = ip.headerLength + 20; at < end; ) {
    const kind = view.getUint8(at);
    if (kind === 0) return null;
    if (kind === 5 && at + 10 <= end) return [view.getUint32(at + 2), view.getUint32(at + 6)];
    at += kind === 1 ? 1 : Math.max(2, view.getUint8(at + 1));
  }
  return null;
}
