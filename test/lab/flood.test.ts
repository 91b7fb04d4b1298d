/** Floods with forged sources: they cost no socket and no memory, and whoever is taken does not notice (RFC 4987). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { counts, useRig, waitFor } from './harness.js';
import type { Program } from './program.js';
import { connectionsOf } from './state.js';

const rig = useRig('flood');
const MB = 1 << 20;
const busy = 20;
/** Each flow has two sockets; each line of `ss` is one. */
const sockets = () => connectionsOf(rig.lab).split('\n').filter(Boolean).length;
const mac = (role: 'client' | 'middle', device: string) =>
  rig.lab.exec(role, ['cat', `/sys/class/net/${device}/address`]).stdout.trim();

const families = [
  { family: 4, address: 'server4', sources: '198.18.0.0', net: '198.18.0.0/16', via: 'client4' },
  { family: 6, address: 'server6', sources: '2001:db8:f::', net: '2001:db8:f::/64', via: 'client6' },
] as const;

beforeAll(() => {
  // What the server answers goes to the client's host, which does not forward: it drops it without a word.
  for (const { family, net, via } of families) {
    const route = ['route', 'add', net, 'via', rig.lab.addresses[via], 'dev', 'toclient'];
    rig.lab.exec('middle', ['ip', `-${family}`, ...route]);
  }
});

afterAll(() => {
  for (const { family, net } of families) rig.lab.exec('middle', ['ip', `-${family}`, 'route', 'del', net]);
});

describe.each(families)('IPv$family', ({ address, sources }) => {
  it.each([
    { kind: 'syn', count: 200_000, frames: 200_000, what: '200,000 SYNs' },
    {
      kind: 'ack',
      count: 60_000,
      frames: 180_000,
      what: '60,000 SYNs, each with a wrong third ACK and data',
    },
    { kind: 'data', count: 200_000, frames: 200_000, what: '200,000 segments of unknown connections' },
  ])('$what', async ({ kind, count, frames }) => {
    const host = rig.lab.addresses[address];
    const [echo, stream] = [rig.port(), rig.port()];
    await rig.serve({ port: echo, mode: 'echo' });
    await rig.serve({ port: stream, mode: 'exchange', send: 20 * MB, when: 'data' });
    const gained = await rig.counted(async () => {
      const held = await rig.start('client', 'hold.mjs', { host, port: echo, flows: busy });
      // In the middle of a transfer while the flood comes: the client does not read at first.
      const talk = { host, port: stream, send: 10, expect: 20 * MB, pauseMs: 4000 };
      const transfer = rig.client(talk, 'client.mjs', 60_000);
      await waitFor('all are taken', async () => (await rig.engine.stats()).flows.active === busy + 1);
      const before = rig.engine.residentMegabytes;
      const most = await flood(
        { host, port: echo, gateway: mac('middle', 'toclient'), sources, kind, count },
        frames,
      );
      expect(most.sockets).toBe(2 * (busy + 1));
      expect(most.engine - before).toBeLessThan(20);
      await stillThere(held);
      expect(await transfer).toMatchObject({ ok: 1, failed: {} });
      const again = { host, port: stream, flows: 10, send: 1000, expect: 20 * MB };
      expect(await rig.client(again)).toMatchObject({ ok: 10, failed: {} });
      await held.stop();
    });
    expect(counts(gained).intercepted).toBe(busy + 1 + 10);
    // A third ACK that acknowledges something else completes nothing.
    expect(gained.handshakes.completed).toBe(busy + 1 + 10);
    // The flood did arrive. A queue on its way may have been full now and then.
    const arrived = kind === 'data' ? gained.forwarded.midstream : gained.handshakes.seen;
    expect(arrived).toBeGreaterThan(0.9 * count);
  });
});

/** Runs one flood; the most sockets in the middle, and megabytes of the engine, while it ran. */
async function flood(options: object, frames: number): Promise<{ sockets: number; engine: number }> {
  const most = { sockets: 0, engine: 0 };
  const look = () => {
    most.sockets = Math.max(most.sockets, sockets());
    most.engine = Math.max(most.engine, rig.engine.residentMegabytes);
  };
  const meter = setInterval(look, 250);
  try {
    const run = rig.client<{ sent: number }>({ ...options, perSecond: 80_000 }, 'forged-flood.mjs', 60_000);
    expect((await run).sent).toBe(frames);
    look();
  } finally {
    clearInterval(meter);
  }
  return most;
}

async function stillThere(held: Program): Promise<void> {
  expect(await held.report()).toMatchObject({ ended: [] });
}
