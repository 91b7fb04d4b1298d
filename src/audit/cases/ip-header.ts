import { putU16 } from '../../wire/bytes.js';
import { type AuditCase, found } from '../case.js';
import { finish, flagsOf } from '../raw-segment.js';
import { connectedTalk } from './talk.js';

export const ipHeader: AuditCase[] = [
  {
    id: 'dscp-carried',
    group: 'ip-header',
    faults: [25],
    by: 'raw',
    right:
      'the class of service of each packet is that of its sender, or what the network makes of it everywhere',
    standard: 'RFC 2474 section 3; RFC 9293 section 3.9.1.9',
    consequence: 'calls and backups share one queue; answers get another class than requests',
    mend: 'set the class of each leg to that of the packets that came on the other one, and follow changes',
    sent: 'EF in the SYN, AF41 in the SYN-ACK, CS1 and AF21 on data',
    async run(stage) {
      const [ef, af41, cs1, af21] = [46 << 2, 34 << 2, 8 << 2, 18 << 2];
      const { c, s, syn, synAck } = await connectedTalk(stage, { syn: { tos: ef }, synAck: { tos: af41 } });
      await c.send('P.', { length: 100, tos: cs1 });
      await s.receive(101, { tos: af41 });
      const there = s.last?.ip.tos ?? -1;
      await s.send('P.', { length: 100, tos: af21 });
      await c.receive(101, { tos: cs1 });
      const back = c.last?.ip.tos ?? -1;
      const all = [
        [syn.ip.tos, ef],
        [synAck.ip.tos, af41],
        [there, cs1],
        [back, af21],
      ] as const;
      const classes = all.map(([came]) => came >> 2);
      const changed = all.filter(([came, sent]) => came >> 2 !== sent >> 2).length;
      return found(
        { client: `${classes[1]}, then ${classes[3]}`, server: `${classes[0]}, then ${classes[2]}` },
        changed > 0 && changed < all.length && 'some packets keep their class, and others lose it',
        changed === all.length && 'the class of service was changed everywhere',
      );
    },
  },
  {
    id: 'ttl-as-forwarded',
    group: 'ip-header',
    faults: [26],
    by: 'raw',
    right: 'every packet has the TTL of its sender, less the same number of hops',
    standard: 'RFC 791 section 3.2; RFC 8200 section 3; RFC 5082 section 3 for those who rely on it',
    consequence: 'traceroute shows a path that is not there; peers that demand a TTL of 255 refuse all',
    mend: 'set the TTL of each leg from the packets of the other one',
    sent: 'TTL 64 in the SYN and 77 in the SYN-ACK, 99 and 133 on data',
    async run(stage) {
      const { c, s, syn, synAck } = await connectedTalk(stage, { syn: { ttl: 64 }, synAck: { ttl: 77 } });
      await c.send('P.', { length: 100, ttl: 99 });
      await s.receive(101, { ttl: 77 });
      const there = s.last?.ip.ttl ?? 0;
      await s.send('P.', { length: 100, ttl: 133 });
      await c.receive(101, { ttl: 64 });
      const back = c.last?.ip.ttl ?? 0;
      const hops = { there: [64 - syn.ip.ttl, 99 - there], back: [77 - synAck.ip.ttl, 133 - back] };
      const text = (all: number[]) => `${all.join(' and ')} hops away`;
      return found({ client: text(hops.back), server: text(hops.there) }, [
        hops.there.some((n) => n < 0) && 'the TTL grew on the way to the server',
        hops.back.some((n) => n < 0) && 'the TTL grew on the way to the client',
        hops.there[0] !== hops.there[1] &&
          `the SYN came over ${hops.there[0]} hops, the data over ${hops.there[1]}`,
        hops.back[0] !== hops.back[1] &&
          `the SYN-ACK came over ${hops.back[0]} hops, the data over ${hops.back[1]}`,
      ]);
    },
  },
  {
    id: 'ttl-limited-syn-not-answered',
    group: 'ip-header',
    faults: [1, 26],
    by: 'raw',
    right: 'a SYN that does not live as far as the server gets no SYN-ACK',
    standard: 'RFC 791 section 3.2: who counts the TTL down to 0 drops the packet',
    consequence: 'shows that the box answers in the name of every server, and where it stands',
    mend: 'let the server answer',
    sent: 'SYNs with every TTL that ends before the server',
    async run(stage) {
      const { syn } = await connectedTalk(stage, { syn: { ttl: 64 } });
      // A box that asks the server itself seems to be no hop away.
      const hops = Math.max(0, 64 - syn.ip.ttl);
      const s = await stage.rawServer({ at: 1 });
      const sent = new Map<number, number>();
      const answered: number[] = [];
      for (let ttl = 1; ttl <= Math.max(1, Math.min(hops, 20)); ttl++) {
        const c = await stage.rawClient({ at: 1, isn: 2_000_000 + ttl });
        sent.set(c.port, ttl);
        await c.send('S', { ttl, options: { mss: 1460 } });
        const answer = await c.hears(hops > 4 ? 200 : 500);
        if (!answer || !(answer.flags & flagsOf('S'))) continue;
        answered.push(ttl);
        await c.send('.');
      }
      if (answered.length > 0) await s.hears(500);
      // What the server gets has less than what was sent, or nobody has counted it down.
      const reached = (await stage.seen('server')).filter(
        ({ content, outgoing, ttl }) =>
          content.kind === 'tcp' &&
          !outgoing &&
          content.flags & flagsOf('S') &&
          ttl > (sent.get(content.sourcePort) ?? 255),
      ).length;
      return found(
        {
          client: answered.length > 0 ? `answers to TTL ${answered.join(', ')}` : 'no answers',
          server: `${hops} hops away; ${reached} SYNs with more TTL than they were sent with`,
        },
        [
          reached > 0 && 'a SYN lived longer than its TTL',
          answered.length > 0 &&
            `a SYN with TTL ${answered[0]} was answered, and the server is ${hops} hops away`,
        ],
      );
    },
  },
  {
    id: 'dont-fragment-as-sent',
    group: 'ip-header',
    faults: [27],
    by: 'raw',
    families: [4],
    right: 'DF is as the sender set it, and fragmentable packets have identifications of their own',
    standard: 'RFC 791 section 3.1; RFC 6864 section 4',
    consequence:
      'without DF no path MTU is discovered; with one identification, fragments of two packets are mixed',
    mend: 'leave DF alone; let the kernel choose identifications',
    sent: 'data with DF, then twice without, with identifications 4711 and 4712',
    async run(stage) {
      const { c, s, syn } = await connectedTalk(stage);
      const came: { df: boolean; id: number }[] = [];
      for (const id of [0, 4711, 4712]) {
        if (id) c.change = (packet) => fragmentable(packet, id);
        await c.send('P.', { length: 100 });
        await s.receive(c.next);
        const word = s.last ? ((s.last.packet[6] as number) << 8) | (s.last.packet[7] as number) : 0;
        const own = s.last ? ((s.last.packet[4] as number) << 8) | (s.last.packet[5] as number) : 0;
        came.push({ df: (word & 0x4000) !== 0, id: own });
      }
      c.change = (packet) => packet;
      const synDf = ((syn.packet[6] as number) & 0x40) !== 0;
      const [first, second, third] = came;
      return found(
        { client: 'sent', server: came.map(({ df, id }) => `${df ? 'DF' : 'no DF'} id ${id}`).join('; ') },
        [
          !synDf && 'DF was cleared in the SYN',
          !first?.df && 'DF was cleared on data',
          !second?.df &&
            !third?.df &&
            second?.id === third?.id &&
            'two fragmentable packets have one identification',
        ],
        (second?.df || third?.df) && 'DF was set where the sender had not',
      );
    },
  },
];

/** IPv4 without DF. */
function fragmentable(packet: Uint8Array, id: number): Uint8Array {
  const changed = packet.slice();
  putU16(changed, 4, id);
  putU16(changed, 6, 0);
  return finish(changed, {});
}
