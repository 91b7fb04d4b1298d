import { type AuditCase, found } from '../case.js';
import { readText, type Side, whole } from '../socket.js';
import { pause, type Stage } from '../stage.js';
import { connectedTalk, deliver, rawClientTalk, rawServerTalk } from './talk.js';

const other = { client: 'server', server: 'client' } as const;
const MB = 1_000_000;

function keepAlive(asker: Side): AuditCase {
  const asked = other[asker];
  return {
    id: `keep-alive-reaches-${asked}`,
    group: 'liveness',
    faults: [37],
    by: 'raw',
    right: `a keep-alive of the ${asker} is answered by the ${asked}, and by nobody else`,
    standard: 'RFC 9293 section 3.8.4',
    consequence: `the ${asker} never learns that the ${asked} is gone, and keeps the connection for ever`,
    mend: 'pass probes on to the other end, or let the silence of one leg end the other one',
    sent: `a probe of the ${asker} on an idle connection, which the ${asked} answers after half a second`,
    async run(stage) {
      const { c, s } = await connectedTalk(stage);
      await deliver(c, s, 50);
      await deliver(s, c, 50);
      // Nobody probes sooner; and a kernel answers what looks invalid at most every half second (tcp_invalid_ratelimit).
      await pause(1000);
      const [from, to] = asker === 'client' ? [c, s] : [s, c];
      from.segments.length = 0;
      to.segments.length = 0;
      await from.send('.', { seq: from.next - 1 });
      const reached = await to.hears(600);
      const early = from.segments.length > 0;
      await to.send('.');
      const answer = early || (await from.hears(600)) !== undefined;
      const seen = {
        [asker]: early ? 'answered at once' : answer ? 'answered' : 'not answered',
        [asked]: reached ? 'the probe' : 'nothing',
      } as Record<Side, string>;
      return found(seen, [
        early && !reached && `the probe was answered, and the ${asked} never heard of it`,
        early && `the probe was answered before the ${asked} had done so`,
        !reached && 'the probe did not arrive',
        !answer && 'the answer did not arrive',
      ]);
    },
  };
}

const keepAliveOptions = { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 2 };

function noticed(living: Side): AuditCase {
  const dead = other[living];
  return {
    id: `dead-${dead}-is-noticed`,
    group: 'liveness',
    faults: [37],
    by: 'raw',
    right: `when the ${dead} is gone without a word, the keep-alives of the ${living} end the connection`,
    standard: 'RFC 9293 section 3.8.4; RFC 1122 section 4.2.3.6',
    consequence: 'connections to machines that are gone pile up on both sides of the box',
    mend: 'pass probes on, or probe yourself and pass the end on',
    sent: `data both ways, then silence of the ${dead}; the ${living} probes after one second, twice`,
    async run(stage) {
      const [raw, socket] = await halves(stage, living);
      const end = await socket.receive(null, 6000);
      return found({ [living]: end.end, [dead]: `${raw.segments.length} probes` } as Record<Side, string>, [
        end.end === 'waiting' && `the ${living} was not told within 6 s`,
        end.end === 'EOF' && 'the connection ended as if all were well',
      ]);
    },
  };
}

async function halves(stage: Stage, living: Side) {
  if (living === 'client') {
    const { c, s } = await rawServerTalk(stage);
    await c.send(50);
    await s.receive(51);
    for (const [name, value] of Object.entries(keepAliveOptions)) await c.set(name, value);
    return [s, c] as const;
  }
  const { c, s } = await rawClientTalk(stage);
  await c.send('P.', { length: 50 });
  await s.receive(50);
  for (const [name, value] of Object.entries(keepAliveOptions)) await s.set(name, value);
  return [c, s] as const;
}

/** More than two sockets hold: since Linux 6.17 a receive buffer alone may grow to 32 MB (tcp_rmem). */
const ENDLESS = 128 * MB;

export const liveness: AuditCase[] = [
  keepAlive('client'),
  keepAlive('server'),
  noticed('client'),
  noticed('server'),
  {
    id: 'slow-reader-slows-sender',
    group: 'liveness',
    faults: [38],
    by: 'sockets',
    right:
      'when the server stops reading, the client soon cannot send any more; when it reads on, all is there',
    standard: 'RFC 9293 section 3.8.6',
    consequence: 'the box fills its memory for whoever asks; senders believe that megabytes have arrived',
    mend: 'bound the buffers, and stop reading from one side while the other one does not take it',
    sent: 'as much as the client can, up to 128 MB, to a server that reads nothing for a while',
    async run(stage) {
      const buffers = { SO_RCVBUF: 65_536 };
      const { c, s } = await stage.connected({ options: { SO_SNDBUF: 65_536 } }, { options: buffers });
      const sent = await c.send(ENDLESS, { ms: 600 });
      const read = await s.receive(sent.bytes);
      const text = `${(sent.bytes / MB).toFixed(1)} MB before it had to stop`;
      return found(
        { client: text, server: readText(read) },
        [
          sent.error !== 'waiting' && sent.error !== '' && `the connection broke: ${sent.error}`,
          sent.bytes >= ENDLESS && 'the client could send without end',
          !whole(read, sent.bytes) && 'not all of it arrived afterwards',
        ],
        sent.bytes > MB && `${text}: so much is held between the ends`,
      );
    },
  },
  {
    id: 'closed-window-kept-open',
    group: 'liveness',
    faults: [38],
    by: 'raw',
    right: 'a receiver may keep its window closed for as long as it answers probes',
    standard: 'RFC 9293 section 3.8.6.1 (MUST-36, MUST-37)',
    consequence: 'printers, tapes and paused downloads are cut off',
    mend: 'probe a closed window for as long as probes are answered',
    sent: 'a window of 0 by the server for 3 seconds, then an open one',
    async run(stage) {
      const { c, s } = await rawServerTalk(stage);
      await c.send(100);
      await s.receive(101, { window: 0 });
      await c.send(5000);
      const until = Date.now() + 3000;
      while (Date.now() < until)
        if (await s.hears(until - Date.now())) await s.send('.', { ack: 101, window: 0 });
      const early = s.received - 101;
      await s.send('.', { ack: 101 });
      const came = await s.receive(5101);
      return found(
        { client: 'sent 5000 bytes', server: `${early} bytes meanwhile, ${s.received - 101} in the end` },
        [early > 1460 && 'data was sent into a closed window', !came && 'the connection did not go on'],
      );
    },
  },
  {
    id: 'window-obeyed',
    group: 'liveness',
    faults: [10, 38],
    by: 'raw',
    right: 'no more is under way than the receiver has room for, by the scale that it named',
    standard: 'RFC 7323 section 2.3; RFC 9293 section 3.8.6',
    consequence: 'what does not fit is dropped and sent again; or the path is used to a hundredth',
    mend: 'read windows by the scale of the leg on which they come',
    sent: 'a scale of 4 and a window of 500 (8000 bytes) by the server, 100 kB by the client',
    async run(stage) {
      const { c, s } = await rawServerTalk(
        stage,
        { mss: 1400, sackPermitted: true, more: [1, 3, 3, 4] },
        { window: 500 },
      );
      // The window of a SYN-ACK is never scaled: 500 bytes, until this segment.
      void c.send(100_000, { ms: 500 });
      await s.hears(1000);
      const acknowledged = s.received;
      await s.send('.', { window: 500 });
      await pause(900);
      const outstanding = s.received - acknowledged;
      return found({ client: 'sent as much as it could', server: `${outstanding} bytes without more room` }, [
        outstanding > 8000 + 500 && `${outstanding} bytes came into a window of 8000`,
        outstanding <= 1000 &&
          `only ${outstanding} bytes came into a window of 8000: the scale was not heeded`,
      ]);
    },
  },
  {
    id: 'acknowledged-means-arrived',
    group: 'liveness',
    faults: [41],
    by: 'raw',
    right: 'data is acknowledged when the server has it, not before',
    standard: 'RFC 3135 section 4.1.3',
    consequence: 'when the box or the far leg fails, the sender has thrown away what never arrived',
    mend: 'acknowledge to one side what the other side has acknowledged',
    sent: '500 bytes in mid-connection, which the server leaves unacknowledged for a while',
    async run(stage) {
      const { c, s } = await connectedTalk(stage);
      await deliver(c, s, 50);
      await deliver(s, c, 50);
      c.segments.length = 0;
      s.segments.length = 0;
      await c.send('P.', { length: 500 });
      const came = await s.hears(1000);
      await pause(400);
      const covers = c.segments.some(({ ack }) => ((ack - c.isn) | 0) >= 551);
      await s.send('.');
      return found(
        {
          client: covers ? 'acknowledged at once' : 'not acknowledged',
          server: came ? '500 bytes' : 'nothing',
        },
        [
          covers && 'the client got an acknowledgement that the server had not sent',
          !came && 'the data did not arrive',
        ],
      );
    },
  },
];
