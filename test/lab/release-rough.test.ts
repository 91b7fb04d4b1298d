/** Releases where data is lost and late: what fills a hole has to reach the sockets while new data is held. */
import { expect, it } from 'vitest';
import { useRig, watched } from './harness.js';
import { expectNoTrace, releasedWhileTalking, roughPath, tally } from './releases.js';

const rig = useRig('release-rough', { run: ['-p', watched], path: roughPath });

it.each(['server4', 'server6'] as const)('100 busy flows to %s', async (server) => {
  const before = await rig.engine.stats();
  const flows = 100;
  const { result, outcomes } = await releasedWhileTalking(rig, {
    hosts: [rig.lab.addresses[server]],
    flows,
    bytes: 150_000,
    gapMs: 300,
  });
  expect(result).toMatchObject({ ok: flows, failed: {} });
  await expectNoTrace(rig, before, tally(outcomes), 0.8 * flows);
});

it('10 streams in both directions', async () => {
  const before = await rig.engine.stats();
  const flows = 10;
  const { result, outcomes } = await releasedWhileTalking(rig, {
    hosts: [rig.lab.addresses.server4, rig.lab.addresses.server6],
    flows,
    bytes: 3_000_000,
    gapMs: 1,
  });
  expect(result).toMatchObject({ ok: flows, failed: {} });
  await expectNoTrace(rig, before, tally(outcomes), 0);
});
