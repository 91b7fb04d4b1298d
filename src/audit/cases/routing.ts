import { putU16, putU32 } from '../../wire/bytes.js';
import { internetChecksum } from '../../wire/checksum.js';
import { tcpFlags } from '../../wire/tcp.js';
import { type AuditCase, found } from '../case.js';
import { readText, whole } from '../socket.js';
import { pause } from '../stage.js';
import { connectedTalk, rawClientTalk, segmentText } from './talk.js';

export const routing: AuditCase[] = [
  {
    id: 'unknown-flow-left-alone',
    group: 'routing',
    faults: [52],
    by: 'raw',
    right: 'segments of a connection whose handshake the box has not seen go on, both ways',
    standard: 'RFC 3135 section 4.2; RFC 2775 on state in the middle',
    consequence: 'when the box starts, or a route changes, all connections that are there end',
    mend: 'forward what you do not know; never reset it',
    sent: 'data from each end, without any handshake',
    async run(stage) {
      const s = await stage.rawServer();
      const c = await stage.rawClient();
      // As if both had shaken hands long ago.
      [c.next, c.received, c.peerIsn] = [1, 1, s.isn];
      [s.next, s.received, s.peerIsn, s.peerPort] = [1, 1, c.isn, c.port];
      await c.send('P.', { length: 100 });
      const there = await s.hears(800);
      const resetAtClient = c.segments.some(({ flags }) => flags & tcpFlags.rst);
      if (there) s.peerPort = there.sourcePort;
      await s.send('P.', { length: 100 });
      const back = await c.hears(800);
      const data = (segment: typeof there) => segment !== undefined && segment.payload.length === 100;
      return found(
        { client: segmentText(back), server: segmentText(there) },
        [resetAtClient && 'the box reset a connection that it did not know'],
        [
          !data(there) && 'segments to the server were dropped',
          !data(back) && 'segments to the client were dropped',
        ],
      );
    },
  },
  {
    id: 'packets-arrive-once',
    group: 'routing',
    faults: [53],
    by: 'raw',
    right: 'each packet arrives once',
    standard: 'RFC 9293 section 3.4 lets ends live with duplicates; a box has no reason to make any',
    consequence: 'the box takes its own connections for those of clients, up to a storm',
    mend: 'exempt what the box itself sends (by mark, user or interface)',
    sent: 'a handshake and 100 bytes, each packet once',
    async run(stage) {
      const { c, s } = await connectedTalk(stage);
      await c.send('P.', { length: 100 });
      await s.receive(101);
      await pause(150);
      const packets = (await stage.seen('server')).filter(({ outgoing }) => !outgoing);
      const syns = packets.filter(
        ({ content }) => content.kind === 'tcp' && content.flags & tcpFlags.syn,
      ).length;
      // By their numbers: a connection may begin with more than these 100 bytes.
      const numbers = packets.flatMap(({ content }) =>
        content.kind === 'tcp' && content.payloadLength > 0 ? [content.seq] : [],
      );
      const datas = Math.max(0, ...numbers.map((seq) => numbers.filter((other) => other === seq).length));
      return found(
        { client: 'sent one SYN and 100 bytes', server: `${syns} SYNs, ${datas} times the same data` },
        [
          syns > 1 && `the SYN arrived ${syns} times`,
          datas > 1 && c.lengths.length === 0 && `the data arrived ${datas} times`,
        ],
      );
    },
  },
  {
    id: 'fragments-put-together',
    group: 'routing',
    faults: [55],
    by: 'raw',
    right: 'a segment that comes in fragments arrives whole',
    standard: 'RFC 791 section 3.2; RFC 8200 section 4.5',
    consequence: 'connections over tunnels that fragment stall',
    mend: 'put fragments together before you look at ports',
    sent: 'a segment of 600 bytes in two fragments, the second one without ports; once more if it does not arrive',
    async run(stage) {
      const { c, s } = await rawClientTalk(stage);
      await c.send('P.', { length: 100 });
      const first = await s.receive(100);
      c.change = (packet) => fragments(packet, stage.port);
      await c.send('P.', { length: 600 });
      // As any sender, which hears nothing, does: fragments may come while the box is about something else.
      const early = await s.unread(600, 500);
      if (early < 600) await c.send('P.', { seq: 101, length: 600 });
      c.change = (packet) => packet;
      const read = await s.receive(600);
      return found({ client: 'sent two fragments', server: readText(read) }, [
        !whole(first, 100) && 'data before it did not arrive',
        !whole(read, 600) && 'the segment did not arrive',
      ]);
    },
  },
];

/** In two, behind 320 bytes of TCP. */
function fragments(packet: Uint8Array, id: number): Uint8Array[] {
  const v4 = (packet[0] as number) >> 4 === 4;
  const header = v4 ? 20 : 40;
  const pieces = [packet.subarray(header, header + 320), packet.subarray(header + 320)];
  return pieces.map((piece, i) => {
    const offset = i * 320;
    const more = i === 0 ? 1 : 0;
    if (v4) {
      const made = Uint8Array.from([...packet.subarray(0, 20), ...piece]);
      putU16(made, 2, made.length);
      putU16(made, 4, id);
      putU16(made, 6, (more << 13) | (offset / 8));
      putU16(made, 10, 0);
      putU16(made, 10, internetChecksum(made, 0, 20));
      return made;
    }
    const made = Uint8Array.from([...packet.subarray(0, 40), ...new Uint8Array(8), ...piece]);
    putU16(made, 4, made.length - 40);
    made[40] = made[6] as number;
    made[6] = 44;
    putU16(made, 42, offset | more);
    putU32(made, 44, id);
    return made;
  });
}
