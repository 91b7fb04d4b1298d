import { type AuditCase, found } from '../case.js';
import { conflicting, outOfOrder, overlapping } from '../exchanges.js';
import type { RawConnection } from '../raw-connection.js';
import { readText, type Side, whole } from '../socket.js';
import { pause } from '../stage.js';
import { rawClientTalk, rawServerTalk } from './talk.js';

const firstCounts = 'put the bytes in order once, keep what came first, and send on nothing else';

interface Pieces {
  id: string;
  right: string;
  sent: string;
  consequence: string;
  send: (c: RawConnection) => Promise<void>;
  bytes: number;
}

/** Segments by hand that an ordinary server must read as one stream. */
function pieces({ id, right, sent, consequence, send, bytes }: Pieces): AuditCase {
  return {
    id,
    group: 'data',
    faults: [43],
    by: 'raw',
    right,
    standard: 'RFC 9293 section 3.10.7.4',
    consequence,
    mend: firstCounts,
    sent,
    async run(stage) {
      const { c, s } = await rawClientTalk(stage);
      await c.send('P.', { length: 100 });
      const first = await s.receive(100);
      await send(c);
      const read = await s.receive(bytes, 800);
      if (read.wrong < 0 && read.end === 'waiting') {
        // As any sender does that hears nothing: a lost packet is not what this is about.
        await c.send('P.', { seq: 101 + read.bytes, length: bytes - read.bytes });
        const more = await s.receive(bytes - read.bytes);
        Object.assign(read, more, { bytes: read.bytes + more.bytes });
      }
      return found({ client: 'sent it', server: readText(read) }, [
        !whole(first, 100) && 'data before it did not arrive',
        read.wrong >= 0 && `byte ${read.wrong} of the stream is wrong`,
        read.bytes < bytes && `only ${read.bytes} of ${bytes} bytes arrived`,
      ]);
    },
  };
}

function urgent(sender: Side): AuditCase {
  return {
    id: `urgent-mark-of-${sender}`,
    group: 'data',
    faults: [42],
    by: 'sockets',
    right: 'urgent data is announced at the other end, and the mark stands behind the same byte',
    standard: 'RFC 9293 section 3.8.5 (MUST-30, MUST-31); RFC 6093 section 3',
    consequence: 'interrupts of terminal sessions, and old database clients, do nothing or wait',
    mend: 'carry the mark: MSG_OOB for MSG_OOB',
    sent: `100 bytes, one urgent byte and 50 bytes by the ${sender}`,
    async run(stage) {
      const { c, s } = await stage.connected();
      const [from, to] = sender === 'client' ? [c, s] : [s, c];
      if (sender === 'server') {
        await c.send(10);
        await s.receive(10);
      }
      await from.send(100);
      await to.receive(100);
      await from.send(1, { urgent: true });
      const byte = await to.urgentByte(1500);
      await from.send(50);
      const read = await to.receive(50);
      const seen = `${byte < 0 ? 'no urgent byte' : 'the urgent byte'}; ${readText(read)}`;
      return found(
        sender === 'client' ? { client: 'sent', server: seen } : { client: seen, server: 'sent' },
        [byte < 0 && 'the urgent mark was lost', !whole(read, 50) && 'what came behind it is wrong'],
      );
    },
  };
}

export const data: AuditCase[] = [
  pieces({
    id: 'out-of-order-whole',
    right: 'segments that come in another order make the same stream',
    sent: 'three segments, the last one first',
    consequence: 'data is damaged on every path that changes the order',
    send: outOfOrder,
    bytes: 300,
  }),
  pieces({
    id: 'overlap-whole',
    right: 'of segments that overlap, each byte is taken once',
    sent: 'segments behind a hole, over its edge and inside what is there; then the hole',
    consequence: 'bytes are lost or doubled after losses',
    send: overlapping,
    bytes: 500,
  }),
  pieces({
    id: 'conflicting-repetition',
    right: 'what was taken in stays, also when it is repeated with other bytes',
    sent: 'repetitions with other bytes: of what was read, of what lies behind a hole, and of more than both',
    consequence: 'whoever looks at the traffic sees another stream than the server: filters are passed by',
    send: conflicting,
    bytes: 200,
  }),
  pieces({
    id: 'single-bytes-whole',
    right: 'a stream that comes byte by byte arrives',
    sent: '64 segments of one byte',
    consequence: 'terminal sessions stall',
    send: async (c) => {
      for (let i = 0; i < 64; i++) await c.send('P.', { length: 1 });
    },
    bytes: 64,
  }),
  {
    id: 'bulk-both-ways',
    group: 'data',
    faults: [43],
    by: 'sockets',
    right: 'every byte of 2 MB arrives in its place, both ways at a time',
    standard: 'RFC 9293 section 3.8',
    consequence: 'files are damaged',
    mend: firstCounts,
    sent: '2 MB from each end at the same time',
    async run(stage) {
      const bytes = 2_000_000;
      const { c, s } = await stage.connected();
      const [, , atServer, atClient] = await Promise.all([
        c.send(bytes),
        s.send(bytes),
        s.receive(bytes),
        c.receive(bytes),
      ]);
      return found(
        { client: readText(atClient), server: readText(atServer) },
        (!whole(atClient, bytes) || !whole(atServer, bytes)) && 'the streams are not what was sent',
      );
    },
  },
  {
    id: 'bad-checksum-dropped',
    group: 'data',
    faults: [44],
    by: 'raw',
    right: 'a segment with a wrong checksum is never taken for data',
    standard: 'RFC 9293 section 3.1 (MUST-3)',
    consequence: 'damage on the way reaches the programs, with a checksum that says that all is well',
    mend: 'verify the checksum of what you take in; do not compute a new one over bytes that you have not checked',
    sent: '100 wrong bytes with a wrong checksum, then the right ones',
    async run(stage) {
      const { c, s } = await rawClientTalk(stage);
      await c.send('P.', { length: 100 });
      const first = await s.receive(100);
      await c.send('P.', { length: 100, seed: 3, badChecksum: true, aside: true });
      const early = await s.unread(1, 400);
      await c.send('P.', { length: 100 });
      const read = await s.receive(100);
      return found({ client: 'sent both', server: `${early} bytes of the first; ${readText(read)}` }, [
        !whole(first, 100) && 'data before it did not arrive',
        (early > 0 || read.wrong >= 0) && 'the damaged bytes reached the server as good ones',
        read.bytes < 100 && 'the right bytes did not arrive',
      ]);
    },
  },
  {
    id: 'bad-checksum-reset-ignored',
    group: 'data',
    faults: [44],
    by: 'raw',
    right: 'a reset with a wrong checksum ends nothing',
    standard: 'RFC 9293 section 3.1 (MUST-3)',
    consequence: 'damaged packets end connections',
    mend: 'verify the checksum before you change the state',
    sent: 'a reset with a wrong checksum, then 100 bytes',
    async run(stage) {
      const { c, s } = await rawClientTalk(stage);
      await c.send('P.', { length: 100 });
      await s.receive(100);
      await c.send('R', { spoil: 'tcp' });
      await pause(100);
      await c.send('P.', { length: 100 });
      const read = await s.receive(100);
      return found(
        { client: 'sent both', server: readText(read) },
        !whole(read, 100) && `the connection is gone: ${read.end}`,
      );
    },
  },
  {
    id: 'outside-window-dropped',
    group: 'data',
    faults: [44],
    by: 'raw',
    right: 'data far outside the window is dropped, and the connection goes on',
    standard: 'RFC 9293 section 3.10.7.4, first check',
    consequence: 'anybody can put bytes into the connections of others',
    mend: 'check sequence numbers against the window',
    sent: '100 bytes 10 MB ahead, then the right ones',
    async run(stage) {
      const { c, s } = await rawClientTalk(stage);
      await c.send('P.', { length: 100 });
      await s.receive(100);
      await c.inject('P.', { seq: 10_000_000, length: 100 });
      await c.send('P.', { length: 100 });
      const read = await s.receive(100);
      return found(
        { client: 'sent both', server: readText(read) },
        !whole(read, 100) && 'the right bytes did not arrive',
      );
    },
  },
  {
    id: 'window-shrink-tolerated',
    group: 'data',
    faults: [46],
    by: 'raw',
    right: 'a receiver that takes back a part of its window gets its data nevertheless',
    standard: 'RFC 9293 section 3.8.6 (MUST-34)',
    consequence: 'connections to small devices stall or are reset',
    mend: 'retransmit what is outside the window, and send nothing new',
    sent: 'a window of 4000, shrunk to 500 while 4000 bytes are under way, then opened',
    async run(stage) {
      const { c, s } = await rawServerTalk(stage, { mss: 1000 }, { window: 4000 });
      await c.send(20_000);
      await s.hears(1000);
      await s.send('.', { ack: 1, window: 500 });
      await pause(300);
      const came = await s.receive(20_001);
      return found(
        { client: 'sent 20000 bytes', server: `${s.received - 1} bytes` },
        !came && 'the data did not arrive',
      );
    },
  },
  {
    id: 'small-messages-prompt',
    group: 'data',
    faults: [45],
    by: 'sockets',
    right: 'small messages go on as they come, also two in a row',
    standard: 'RFC 9293 section 3.9.1.2 (MUST-61)',
    consequence: 'every click waits for 40 ms or more',
    mend: 'set TCP_NODELAY on both legs, and do not wait for more',
    sent: 'ten times two messages of 20 bytes in a row and an answer',
    async run(stage) {
      const { c, s } = await stage.connected(
        { options: { TCP_NODELAY: 1 } },
        { options: { TCP_NODELAY: 1 } },
      );
      const rounds: number[] = [];
      for (let i = 0; i < 10; i++) {
        const reading = s.receive(40);
        const start = performance.now();
        await c.send(20);
        await c.send(20);
        const asked = await reading;
        const back = c.receive(20);
        await s.send(20);
        const answered = await back;
        if (!whole(asked, 40) || !whole(answered, 20))
          return found({ client: readText(answered), server: readText(asked) }, 'a message did not arrive');
        rounds.push(performance.now() - start);
      }
      const middle = rounds.sort((a, b) => a - b)[5] as number;
      const info = await c.info();
      const path = (info?.roundTripMs ?? 0) * 2;
      const text = `a round takes ${middle.toFixed(0)} ms, the path ${path.toFixed(0)} ms`;
      return found({ client: text, server: 'answered' }, [], middle > 2.5 * path + 35 && text);
    },
  },
  urgent('client'),
  urgent('server'),
];
