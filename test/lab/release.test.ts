/** Flows that go back to plain forwarding: neither end notices, nothing is lost, nothing stays. */
import { expect, it } from 'vitest';
import type { ReleaseOutcome } from '../../src/flow/stats.js';
import { useRig, waitFor, watched } from './harness.js';
import { connectionsOf } from './state.js';

const rig = useRig('release', { run: ['-p', watched] });

const addressOf = (family: string): string =>
  family === 'IPv4' ? rig.lab.addresses.server4 : rig.lab.addresses.server6;

interface Result {
  ok: number;
  failed: Record<string, number>;
}

/** Connections with traffic both ways, of random size at random times, that last a few seconds. */
function chatter(family: string, port: number, flows: number, bytes: number, gapMs: number): Promise<Result> {
  const pace = { seed: 7, chunk: 4000, gapMs };
  const options = { host: addressOf(family), port, flows, send: bytes, expect: bytes, pace };
  return rig.client<Result>(options, 'client.mjs', 90_000);
}

function tally(outcomes: ReleaseOutcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const what = outcome.result === 'refused' ? `refused: ${outcome.reason}` : outcome.result;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

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
  const port = rig.port();
  await rig.serve({
    port,
    mode: 'exchange',
    send: 150_000,
    when: 'connect',
    pace: { seed: 3, chunk: 4000, gapMs: 300 },
  });
  const before = await rig.engine.stats();
  const done = chatter(family, port, 1000, 150_000, 300);
  const outcomes: ReleaseOutcome[] = [];
  let over = false;
  const result = done.finally(() => {
    over = true;
  });
  let x = 99;
  const chance = (): number => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    return x / 2 ** 32;
  };
  while (!over) {
    const chosen = (await rig.engine.flows()).filter(() => chance() < 0.3).map(({ id }) => id);
    if (chosen.length > 0) outcomes.push(...(await rig.engine.release(chosen)));
  }
  expect(await result).toMatchObject({ ok: 1000, failed: {} });
  const counts = tally(outcomes);
  const { flows } = await rig.engine.stats();
  console.log(counts);
  expect(counts.released).toBeGreaterThan(900);
  expect(flows.released - before.flows.released).toBe(counts.released);
  expect(flows.reset - before.flows.reset).toBe(0);
  await waitFor('nothing is left', async () => (await rig.engine.stats()).flows.active === 0);
  expect(connectionsOf(rig.lab)).toBe('');
});

it('streams in both directions are released in their middle', async () => {
  const port = rig.port();
  const bytes = 200_000_000;
  await rig.serve({ port, mode: 'exchange', send: bytes, when: 'connect' });
  const options = { host: rig.lab.addresses.server4, port, flows: 4, send: bytes, expect: bytes };
  const done = rig.client<Result>(options, 'client.mjs', 90_000);
  await waitFor('they move', async () => {
    const flows = await rig.engine.flows();
    return flows.length === 4 && flows.every((flow) => flow.bytes.toServer > 1_000_000);
  });
  expect(tally(await rig.engine.release('all'))).toEqual({ released: 4 });
  expect(connectionsOf(rig.lab)).toBe('');
  expect(await done).toMatchObject({ ok: 4, failed: {} });
});
