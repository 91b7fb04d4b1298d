import { type AuditCase, found } from '../case.js';
import { readText, type Side, type Socket, whole } from '../socket.js';
import type { Stage } from '../stage.js';
import { rawClientTalk } from './talk.js';

const other = { client: 'server', server: 'client' } as const;
const bulk = 300_000;

/** The two ends of a connection that has carried something both ways, by who does it and who sees it. */
async function pair(stage: Stage, doer: Side): Promise<{ me: Socket; you: Socket }> {
  const { c, s } = await stage.connected();
  await c.send(100);
  await s.receive(100);
  await s.send(100);
  await c.receive(100);
  return doer === 'client' ? { me: c, you: s } : { me: s, you: c };
}

const seenBy = (doer: Side, mine: string, yours: string) =>
  ({ [doer]: mine, [other[doer]]: yours }) as Record<Side, string>;

function halfClose(doer: Side): AuditCase {
  return {
    id: `half-close-by-${doer}`,
    group: 'teardown',
    faults: [33],
    by: 'sockets',
    right: `when the ${doer} has sent its FIN, it goes on receiving`,
    standard: 'RFC 9293 section 3.6',
    consequence: 'the end of answers is cut off for whoever says "that was my question" by a FIN',
    mend: 'make a FIN of a FIN (shutdown), and wait for the one of the other side, however long',
    sent: `a FIN by the ${doer}, then ${bulk} bytes by the other end`,
    async run(stage) {
      const { me, you } = await pair(stage, doer);
      await me.shutdown();
      const end = await you.receive();
      const sending = you.send(bulk);
      const read = await me.receive(bulk);
      const sent = await sending;
      await you.shutdown();
      const last = await me.receive();
      return found(
        seenBy(doer, `${readText(read)}, then ${last.end}`, `${end.end}; sent ${sent.bytes} ${sent.error}`),
        [
          end.end !== 'EOF' && `the FIN did not arrive: the other end saw ${end.end}`,
          sent.error !== '' && `the other end could not send any more: ${sent.error}`,
          !whole(read, bulk) && `of ${bulk} bytes behind the FIN came ${readText(read)}`,
          last.end !== 'EOF' && `the end of the connection was ${last.end}`,
        ],
      );
    },
  };
}

function reset(doer: Side): AuditCase {
  return {
    id: `reset-by-${doer}`,
    group: 'teardown',
    faults: [34],
    by: 'sockets',
    right: `a reset by the ${doer} is a reset at the other end`,
    standard: 'RFC 9293 section 3.5.2',
    consequence: 'what was cut off looks as if it were complete: truncated files pass for whole ones',
    mend: 'pass a reset on as a reset (SO_LINGER 0)',
    sent: `a reset by the ${doer} of an idle connection`,
    async run(stage) {
      const { me, you } = await pair(stage, doer);
      await me.reset();
      const { end } = await you.receive();
      return found(seenBy(doer, 'reset it', end), [
        end === 'EOF' && 'the reset arrived as an orderly end',
        end === 'waiting' && 'the reset did not arrive',
        end !== 'ECONNRESET' && `the other end saw ${end}`,
      ]);
    },
  };
}

function lastData(doer: Side): AuditCase {
  return {
    id: `last-data-of-${doer}`,
    group: 'teardown',
    faults: [35],
    by: 'sockets',
    right: `all that the ${doer} sent before it closed arrives, and then the end`,
    standard: 'RFC 9293 section 3.6: what was sent before CLOSE is delivered',
    consequence: 'the ends of files and pages are missing now and then',
    mend: 'send what is queued before the FIN, and do not reset behind it',
    sent: `${bulk} bytes and at once a FIN by the ${doer}`,
    async run(stage) {
      const { me, you } = await pair(stage, doer);
      const reading = you.receive();
      await me.send(bulk);
      await me.shutdown();
      const read = await reading;
      return found(seenBy(doer, `sent ${bulk} bytes and closed`, readText(read)), [
        !whole(read, bulk) && `of ${bulk} bytes came ${readText(read)}`,
        read.end !== 'EOF' && `the end was ${read.end}`,
      ]);
    },
  };
}

function unread(doer: Side): AuditCase {
  return {
    id: `unread-close-by-${doer}`,
    group: 'teardown',
    faults: [35],
    by: 'sockets',
    right: `when the ${doer} closes with data unread, the other end is told by a reset`,
    standard: 'RFC 9293 section 3.6.1 (SHLD-3)',
    consequence: 'a sender believes that its last message was read',
    mend: 'pass the reset on',
    sent: `500 bytes to the ${doer}, which closes without reading them`,
    async run(stage) {
      const { me, you } = await pair(stage, doer);
      await you.send(500);
      await me.unread(500);
      await me.close();
      const { end } = await you.receive();
      return found(seenBy(doer, 'closed', end), [
        end === 'EOF' && 'the other end saw an orderly end',
        end !== 'ECONNRESET' && `the other end saw ${end}`,
      ]);
    },
  };
}

function reuse(id: string, how: string, end: (c: Socket, s: Socket) => Promise<unknown>): AuditCase {
  return {
    id,
    group: 'teardown',
    faults: [6],
    by: 'sockets',
    right: 'the same two addresses and ports connect again at once',
    standard: 'RFC 9293 section 3.6.1 (MAY-2)',
    consequence: 'clients that use a fixed port, or many connections, get timeouts',
    mend: 'keep no TIME_WAIT for either end; delete the state with the connection',
    sent: `a connection that ends ${how}, then another one from the same port`,
    async run(stage) {
      const { c, s, listener } = await stage.connected();
      await c.send(100);
      await s.receive(100);
      const { port } = c.local;
      await end(c, s);
      const again = await stage.connect({ fromPort: port, ms: 4000 });
      const accepted = again.error ? null : await listener.accept();
      if (!again.error) await again.send(100);
      const read = accepted && !accepted.error ? await accepted.receive(100) : null;
      return found({ client: again.error || 'connected again', server: read ? readText(read) : 'nothing' }, [
        again.error !== '' && `the second connection failed: ${again.error}`,
        (!read || !whole(read, 100)) && 'the second connection carries no data',
      ]);
    },
  };
}

export const teardown: AuditCase[] = [
  halfClose('client'),
  halfClose('server'),
  reset('client'),
  reset('server'),
  {
    id: 'reset-after-half-close',
    group: 'teardown',
    faults: [33, 34],
    by: 'sockets',
    right: 'a reset reaches an end that has sent its FIN already',
    standard: 'RFC 9293 section 3.5.2',
    consequence: 'an answer that broke off looks complete',
    mend: 'pass a reset on as a reset, in every state',
    sent: 'a FIN by the client, 100 bytes and a reset by the server',
    async run(stage) {
      const { c, s } = await stage.connected();
      await c.send(100);
      await s.receive(100);
      await c.shutdown();
      await s.receive();
      await s.send(100);
      await c.receive(100);
      await s.reset();
      const { end } = await c.receive();
      return found({ client: end, server: 'reset it' }, [
        end === 'EOF' && 'the reset arrived as an orderly end',
        end !== 'ECONNRESET' && `the client saw ${end}`,
      ]);
    },
  },
  lastData('client'),
  lastData('server'),
  unread('client'),
  unread('server'),
  {
    id: 'simultaneous-close',
    group: 'teardown',
    faults: [33],
    by: 'sockets',
    right: 'two FINs that cross end the connection, without a reset',
    standard: 'RFC 9293 section 3.6',
    consequence: 'connections that ended well are logged as broken',
    mend: 'treat both directions apart',
    sent: 'a FIN from each end at the same time',
    async run(stage) {
      const { c, s } = await stage.connected();
      await c.send(100);
      await s.receive(100);
      await Promise.all([c.shutdown(), s.shutdown()]);
      const [atClient, atServer] = await Promise.all([c.receive(), s.receive()]);
      return found({ client: atClient.end, server: atServer.end }, [
        atClient.end !== 'EOF' && `the client saw ${atClient.end}`,
        atServer.end !== 'EOF' && `the server saw ${atServer.end}`,
      ]);
    },
  },
  {
    id: 'fin-with-data',
    group: 'teardown',
    faults: [35],
    by: 'raw',
    right: 'data and FIN in one segment arrive, both',
    standard: 'RFC 9293 section 3.10.7.4',
    consequence: 'short answers lose their end, or the connection hangs',
    mend: 'read the data of a segment before its FIN',
    sent: 'a segment with 100 bytes and FIN by a client without a kernel',
    async run(stage) {
      const { c, s } = await rawClientTalk(stage, { mss: 1460 });
      await c.send('P.', { length: 50 });
      const first = await s.receive(50);
      await c.send('FP.', { length: 100 });
      const read = await s.receive();
      return found({ client: 'sent 100 bytes with FIN', server: readText(read) }, [
        !whole(first, 50) && 'data before it did not arrive',
        !whole(read, 100) && 'the data did not arrive',
        read.end !== 'EOF' && `the FIN did not arrive: ${read.end}`,
      ]);
    },
  },
  reuse('port-reuse-after-server-closed', 'by the server closing first', async (c, s) => {
    await s.shutdown();
    await c.receive();
    await c.close();
    await s.receive();
    await s.close();
  }),
  reuse('port-reuse-after-reset', 'by a reset of the client', async (c, s) => {
    await c.reset();
    await s.receive();
  }),
];
