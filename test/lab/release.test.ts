/** Flows that go back to plain forwarding: neither end notices, nothing is lost, nothing stays. */
import { expect, it } from 'vitest';
import { useRig, waitFor, watched } from './harness.js';
import { expectNoTrace, releasedWhileTalking, tally } from './releases.js';
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
  const { result, outcomes } = await releasedWhileTalking(rig, {
    hosts: [addressOf(family)],
    flows,
    bytes: 150_000,
    gapMs: 300,
  });
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
