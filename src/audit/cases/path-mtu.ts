import { type AuditCase, found } from '../case.js';
import { icmpKind } from '../icmp-kinds.js';
import type { RawConnection } from '../raw-connection.js';
import type { SeenPacket, Stage } from '../stage.js';
import { type ConnectedTalk, connectedTalk, deliver } from './talk.js';

/** What fits any link here, and what the hop that complains lets through. */
const large = 1400;
const smallMtu = 1300;

type Side = 'client' | 'server';
const other = { client: 'server', server: 'client' } as const;

async function established(stage: Stage): Promise<ConnectedTalk> {
  const talk = await connectedTalk(stage);
  await deliver(talk.c, talk.s, 50);
  await deliver(talk.s, talk.c, 50);
  return talk;
}

/** ICMP errors that came to one end. */
const errorsAt = (packets: SeenPacket[]) =>
  packets.flatMap(({ content, outgoing }) => (content.kind === 'icmp' && !outgoing ? [content] : []));

/** The largest new segment that comes to `to` within `ms`, while it acknowledges nothing. */
async function nextLength(to: RawConnection, ms: number, fits: (length: number) => boolean): Promise<number> {
  const deadline = Date.now() + ms;
  for (;;) {
    const segment = await to.hears(Math.max(0, deadline - Date.now()));
    if (!segment) return 0;
    if (segment.payload.length > 0 && fits(segment.payload.length)) return segment.payload.length;
    if (Date.now() > deadline) return 0;
  }
}

function tooBig(sender: Side): AuditCase {
  const receiver = other[sender];
  return {
    id: `too-big-reaches-${sender}`,
    group: 'path-mtu',
    faults: [18, 19, 47],
    by: 'raw',
    right:
      'who sent a segment that is too big hears of it, and nobody else does: the end, or the box in its place',
    standard: 'RFC 9293 section 3.9.2.2 (MUST-54); RFC 1191 section 3; RFC 8201 section 4',
    consequence:
      'connections open and then stall with the first large answer, behind any tunnel or PPPoE line',
    mend: 'deliver ICMP errors to the socket whose segment they quote, on either leg; with nftables: match `socket transparent` for ICMP too, not for TCP alone',
    sent: `${large} bytes by the ${sender}, answered by "too big, ${smallMtu}" from the ${receiver}`,
    async run(stage) {
      const { c, s } = await established(stage);
      const [from, to] = sender === 'client' ? [c, s] : [s, c];
      to.segments.length = 0;
      await from.send('P.', { length: large });
      const came = await to.hears(1500);
      if (!came) return found({ client: 'sent', server: 'nothing' }, `${large} bytes did not arrive`);
      await to.icmp(came, { ...icmpKind('tooBig', stage.family), mtu: smallMtu });
      // Either the sender hears it and is the one to send again, or the box has taken that upon itself.
      const resent = await nextLength(to, 2500, (length) => length < came.payload.length);
      const heard = errorsAt(await stage.seen(sender));
      const strangers = heard.filter(({ quoted }) => quoted.seq !== (from.isn + 51) >>> 0);
      const seen = {
        [sender]: `${heard.length} ICMP errors`,
        [receiver]: `${came.payload.length} bytes, then ${resent}`,
      };
      await from.send('P.', { seq: 51, length: 1000 });
      await to.receive(51 + large);
      return found(seen as Record<Side, string>, [
        heard.length === 0 &&
          resent === 0 &&
          `the error was lost: the ${sender} did not hear it, and nothing smaller came`,
        strangers.length > 0 && `the ${sender} heard of a segment that it had not sent`,
      ]);
    },
  };
}

export const pathMtu: AuditCase[] = [
  tooBig('client'),
  tooBig('server'),
  {
    id: 'forged-too-big-ignored',
    group: 'path-mtu',
    faults: [21],
    by: 'raw',
    right: 'an error that quotes what was never sent changes nothing',
    standard: 'RFC 5927 section 4: compare the sequence number',
    consequence: 'anybody who knows the addresses can slow every connection down to tiny segments',
    mend: 'compare the quoted sequence number with what is outstanding',
    sent: '"too big, 600" about a sequence number far away, then 1200 bytes by the client, as before it',
    async run(stage) {
      const { c, s } = await established(stage);
      // Some cut streams in pieces of their own.
      s.largest = 0;
      await deliver(c, s, 1200);
      const before = s.largest;
      const about = s.last;
      if (about) await s.icmp(about, { ...icmpKind('tooBig', stage.family), mtu: 600, seq: 5_000_000 });
      s.segments.length = 0;
      s.largest = 0;
      await c.send('P.', { length: 1200 });
      const came = await s.receive(51 + 2400);
      return found(
        {
          client: 'sent 1200 bytes',
          server: `${s.received - 1251} bytes, the largest segment ${before}, then ${s.largest}`,
        },
        [
          !came && 'the data did not arrive',
          s.largest < before && `the segment was cut to ${s.largest} bytes`,
        ],
      );
    },
  },
  {
    id: 'soft-errors-survived',
    group: 'path-mtu',
    faults: [22],
    by: 'raw',
    right: 'a connection that is there survives "host unreachable", from either side',
    standard: 'RFC 9293 section 3.9.2.2 (MUST-56)',
    consequence: 'a route that flaps for a second ends every connection through the box',
    mend: 'note soft errors, and let the retransmissions go on',
    sent: '"host unreachable" about the last segment, from both ends; then data both ways',
    async run(stage) {
      const { c, s } = await established(stage);
      const kind = icmpKind('hostUnreachable', stage.family);
      if (s.last) await s.icmp(s.last, kind);
      if (c.last) await c.icmp(c.last, kind);
      await c.hears(150);
      const there = await deliver(c, s, 100);
      const back = await deliver(s, c, 100);
      const text = (came: boolean) => (came ? 'data afterwards' : 'nothing afterwards');
      return found(
        { client: text(back), server: text(there) },
        !(there && back) && 'the connection was ended',
      );
    },
  },
  {
    id: 'black-hole-survived',
    group: 'path-mtu',
    faults: [20],
    by: 'raw',
    right:
      'where large segments vanish without a word, whoever has taken the data in finds the size that fits',
    standard: 'RFC 2923 section 2.1; RFC 4821',
    consequence: 'what the box has acknowledged never arrives, and the client has thrown it away',
    mend: 'net.ipv4.tcp_mtu_probing=1, or do not acknowledge for others',
    sent: `${large} bytes; the server ignores segments of more than 1100, and the client sends small ones when it hears nothing`,
    async run(stage) {
      const { c, s } = await established(stage);
      c.segments.length = 0;
      s.segments.length = 0;
      await c.send('P.', { length: large });
      const acknowledged =
        (await c.expect('.', { end: 51, patienceMs: 1000 })) !== undefined && acknowledges(c, large);
      const seen = (text: string) => ({
        client: acknowledged ? 'acknowledged at once' : 'not acknowledged',
        server: text,
      });
      if (!acknowledged) {
        await c.send('P.', { seq: 51, length: 700 });
        await c.send('P.', { seq: 751, length: 700 });
        const came = await s.receive(51 + large, { patienceMs: 1000 });
        return found(seen(`${s.received - 51} bytes`), !came && 'small segments did not arrive either');
      }
      const small = await nextLength(s, 12_000, (length) => length <= 1100);
      return found(
        seen(small ? `a segment of ${small}` : 'large segments only'),
        !small && 'the data was acknowledged, and the box never tries smaller segments',
      );
    },
  },
];

/** Whether the last acknowledgement that came covers so many bytes behind the first 50. */
const acknowledges = (c: RawConnection, bytes: number): boolean =>
  c.last !== undefined && ((c.last.ack - c.isn) | 0) >= 51 + bytes;
