import type { Family } from '../calls.js';
import { type AuditCase, found } from '../case.js';
import type { RawSegment } from '../raw-segment.js';
import { connectedTalk, rawClientTalk, rawServerTalk, segmentText, usual } from './talk.js';

/** RFC 9293 MUST-15: what an end that names no MSS accepts. */
const assumed = (family: Family): number => (family === 4 ? 536 : 1220);

/** Usual, as behind PPPoE and a tunnel, and small. */
const values = [1410, 900] as const;
const mirror = 'offer each side the MSS of the other one; a clamp lowers it for the link that follows';

function mirrored(who: 'client' | 'server'): AuditCase {
  const other = who === 'client' ? 'server' : 'client';
  const segment = who === 'client' ? 'SYN' : 'SYN-ACK';
  return {
    id: `mss-mirrors-${who}`,
    group: 'mss',
    faults: [14, 16],
    by: 'raw',
    right: `the ${other} hears the MSS that the ${who} said; a lower one where a link is smaller`,
    standard: 'RFC 9293 section 3.7.1',
    consequence: `the ${other} sends segments that do not fit the path of the ${who}: they are cut, or vanish`,
    mend: mirror,
    sent: `${segment}s with MSS ${values.join(' and ')}`,
    async run(stage) {
      const heard: number[] = [];
      for (const [at, mss] of values.entries()) {
        const said = { options: { ...usual, mss } };
        const talk = await connectedTalk(stage, { [who === 'client' ? 'syn' : 'synAck']: said, at });
        heard.push((who === 'client' ? talk.syn : talk.synAck).options.mss ?? -1);
      }
      const text = heard.map((mss) => (mss < 0 ? 'none' : mss)).join(' and ');
      const seen = { client: `said ${values.join(' and ')}`, server: `heard ${text}` };
      return found(
        who === 'client' ? seen : { client: seen.server, server: seen.client },
        heard.map(
          (mss, i) => mss > (values[i] as number) && `the ${other} heard ${mss}, and ${values[i]} was said`,
        ),
        heard.map((mss, i) =>
          mss < 0
            ? 'the MSS was taken out'
            : mss < (values[i] as number) && `clamped from ${values[i]} to ${mss}`,
        ),
      );
    },
  };
}

function fitting(who: 'client' | 'server'): AuditCase {
  const mss = 700;
  const bytes = 20_000;
  return {
    id: `segments-fit-mss-of-${who}`,
    group: 'mss',
    faults: [17],
    by: 'raw',
    right: `no segment to the ${who} carries more than it said`,
    standard: 'RFC 9293 section 3.7.1 (MUST-16)',
    consequence:
      'segments are dropped by whoever cannot take them, and the connection stalls once much is sent',
    mend: 'keep to the MSS of each side on its own leg',
    sent: `MSS ${mss} by the ${who}, ${bytes} bytes by the other end`,
    async run(stage) {
      const options = { mss, sackPermitted: true };
      const [raw, socket] =
        who === 'server'
          ? await rawServerTalk(stage, options).then(({ c, s }) => [s, c] as const)
          : await rawClientTalk(stage, options).then(({ c, s }) => [c, s] as const);
      // A server that speaks to a silent client is another case.
      if (who === 'client') {
        await raw.send('P.', { length: 10 });
        await socket.receive(10);
      }
      const [, came] = await Promise.all([socket.send(bytes), raw.receive(1 + bytes)]);
      const text = `${raw.received - 1} bytes, the longest segment with ${raw.largest}`;
      const seen = { client: 'sent', server: text };
      return found(who === 'server' ? seen : { client: text, server: 'sent' }, [
        raw.largest > mss && `a segment with ${raw.largest} bytes came, and the MSS is ${mss}`,
        !came && 'not all of it arrived',
      ]);
    },
  };
}

export const mss: AuditCase[] = [
  mirrored('client'),
  mirrored('server'),
  {
    id: 'mss-absent-stays-small',
    group: 'mss',
    faults: [15, 16],
    by: 'raw',
    right: 'an end that names no MSS gets no larger segments than the standard assumes',
    standard: 'RFC 9293 section 3.7.1 (MUST-15)',
    consequence: 'small devices get segments that they cannot take',
    mend: 'name 536 (IPv6: 1220) for an end that names none, or nothing',
    sent: 'SYN and SYN-ACK without an MSS',
    async run(stage) {
      const { syn, synAck } = await connectedTalk(stage, {
        syn: { options: { sackPermitted: true } },
        synAck: { options: { sackPermitted: true } },
      });
      const most = assumed(stage.family);
      const over = (segment: RawSegment) => (segment.options.mss ?? 0) > most;
      const added = syn.options.mss !== null || synAck.options.mss !== null;
      return found(
        { client: segmentText(synAck), server: segmentText(syn) },
        [
          over(syn) && `the server heard ${syn.options.mss}, and the client said nothing: ${most}`,
          over(synAck) && `the client heard ${synAck.options.mss}, and the server said nothing: ${most}`,
        ],
        added && 'an MSS was added',
      );
    },
  },
  {
    id: 'mss-zero-survived',
    group: 'mss',
    faults: [15],
    by: 'raw',
    right: 'an MSS of 0 or 48 is passed on or raised, and the connection works',
    standard: 'RFC 9293 section 3.7.1; CVE-2019-11479 is what tiny ones cost',
    consequence: 'one odd device, or one attacker, makes the box send a packet for every few bytes, or stop',
    mend: 'bound the MSS from below before you use it',
    sent: 'SYNs with MSS 0 and 48, then 100 bytes',
    async run(stage) {
      const texts: string[] = [];
      const wrong: (string | false)[] = [];
      for (const [at, mss] of [0, 48].entries()) {
        const { c, s, syn } = await connectedTalk(stage, { syn: { options: { mss } }, at });
        await c.send('P.', { length: 100 });
        const came = await s.receive(101);
        texts.push(`MSS ${syn.options.mss}, ${s.received - 1} bytes`);
        wrong.push(!came && `with MSS ${mss} the data did not arrive`);
      }
      return found({ client: 'sent', server: texts.join('; ') }, wrong);
    },
  },
  fitting('client'),
  fitting('server'),
];
