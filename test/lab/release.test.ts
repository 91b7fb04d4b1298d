/** Flows that go back to plain forwarding: neither end notices, nothing is lost, nothing stays. */
import { expect, it } from 'vitest';
import { callControl } from '../../src/control/client.js';
import type { ReleaseOutcome } from '../../src/flow/stats.js';
import { useRig, waitFor, watched } from './harness.js';
import { chatter, expectNoTrace, releasedWhileTalking, tally } from './releases.js';
import { connectionsOf } from './state.js';

const rig = useRig('release', { run: ['-p', watched] });

const addressOf = (family: string): string =>
  family === 'IPv4' ? rig.lab.addresses.server4 : rig.lab.addresses.server6;

it.each(['IPv4', 'IPv6'])('%s: an idle flow is released within 5 ms, and goes on', async (family) => {
  const port = rig.port();
  await rig.serve({ port, mode: 'echo' });
  const hold = await rig.start('client', 'hold.mjs', {
    host: addressOf(family),
    port,
    flows: 1,
    everyMs: 1500,
  });
  await hold.line((line) => line.startsWith('{"busy"'));
  await waitFor('it is taken', async () => (await rig.engine.flows()).length === 1);
  expect(await rig.engine.release('all', 0.005)).toMatchObject([{ result: 'released' }]);
  expect(await rig.engine.flows()).toEqual([]);
  expect(connectionsOf(rig.lab)).toBe('');
  const answers = (await hold.report<{ answers: number }>()).answers;
  await waitFor(
    'the ends still talk',
    async () => (await hold.report<{ answers: number }>()).answers >= answers + 2,
    5000,
  );
  expect(await hold.report<{ ended: unknown[] }>()).toMatchObject({ ended: [] });
  await hold.stop();
});

it.each(['IPv4', 'IPv6'])('%s: 1,000 busy flows, released at random moments', async (family) => {
  const before = await rig.engine.stats();
  const flows = 1000;
  const talk = { hosts: [addressOf(family)], flows, bytes: 150_000, gapMs: 300 };
  const { result, outcomes } = await releasedWhileTalking(rig, talk);
  expect(result).toMatchObject({ ok: flows, failed: {} });
  await expectNoTrace(rig, before, tally(outcomes), 0.9 * flows);
});

it('streams in both directions are released in their middle', async () => {
  const port = rig.port();
  const bytes = 200_000_000;
  await rig.serve({ port, mode: 'exchange', send: bytes, when: 'connect' });
  const options = { host: rig.lab.addresses.server4, port, flows: 4, send: bytes, expect: bytes };
  const done = rig.client(options, 'client.mjs', 90_000);
  await waitFor('they move', async () => {
    const flows = await rig.engine.flows();
    return flows.length === 4 && flows.every((flow) => flow.bytes.toServer > 1_000_000);
  });
  expect(tally(await rig.engine.release('all'))).toEqual({ released: 4 });
  expect(connectionsOf(rig.lab)).toBe('');
  expect(await done).toMatchObject({ ok: 4, failed: {} });
});

it.each(['IPv4', 'IPv6'])(
  '%s: short flows, released right behind their takeover and in their close',
  async (family) => {
    const port = rig.port();
    await rig.serve({ port, mode: 'exchange', send: 20_000, when: 'data' });
    const before = await rig.engine.stats();
    const flows = 3000;
    const options = { host: addressOf(family), port, flows, parallel: 20, send: 20_000, expect: 20_000 };
    let over = false;
    const done = rig.client({ ...options, fin: 'received' }, 'client.mjs', 90_000).finally(() => {
      over = true;
    });
    const counts: Record<string, number> = {};
    while (!over) {
      // Not by the command, which takes longer than such a flow.
      const outcomes = await callControl<ReleaseOutcome[]>(
        rig.engine.control,
        'POST',
        '/v1/release?all=1&within=0.02',
      );
      for (const [what, n] of Object.entries(tally(outcomes))) counts[what] = (counts[what] ?? 0) + n;
    }
    expect(await done).toMatchObject({ ok: flows, failed: {} });
    await expectNoTrace(rig, before, counts, 0.1 * flows);
  },
);

it('a new engine takes the place of the old one, and no flow ends', async () => {
  const flows = 200;
  const hosts = [addressOf('IPv4'), addressOf('IPv6')];
  const { done } = await chatter(rig, { hosts, flows, bytes: 60_000, gapMs: 300 });
  for (let i = 0; i < 2; i++) {
    await waitFor('they talk', async () => (await rig.engine.stats()).flows.active === (i === 0 ? flows : 0));
    expect(await rig.engine.stop()).toBe(0);
    expect(rig.engine.events).toContainEqual(
      expect.objectContaining({ event: 'drained', released: i === 0 ? flows : 0, reset: 0 }),
    );
    rig.engine = await rig.startEngine(['-p', watched]);
  }
  expect(await done).toMatchObject({ ok: flows, failed: {} });
  expect((await rig.engine.stats()).flows.intercepted).toBe(0);
});
