/** `run --replace` where more is going on than relaying: releases, loss and delay, urgent bytes. */
import { expect, it } from 'vitest';
import type { ReleaseOutcome } from '../../src/flow/stats.js';
import { type Rig, sleep, useRig, waitFor, watched } from './harness.js';
import { useNoTrace, useReno } from './hooks.js';
import { chatter, releaseAtRandom, roughPath, tally } from './releases.js';
import { expectUrgent, sendUrgent, withUrgentEnds } from './urgent.js';

const REPLACEMENTS = 5;

const clear = useRig('replacing', { run: null });
const rough = useRig('replacerough', { run: null, path: roughPath });

useReno(clear, rough);
useNoTrace(clear, rough);

async function replace(rig: Rig, ...args: string[]): Promise<void> {
  const old = rig.engine;
  rig.engine = await rig.startEngine(['-p', watched, '--replace', ...args]);
  expect(await old.ended(20_000), old.stderr).toBe(0);
}

it.each([
  ['a clear path', clear, []],
  ['a clear path, with --keep', clear, ['--keep']],
  ['a path that delays and loses', rough, []],
])(
  '%s: flows are released all the while, and the engine is replaced: every byte arrives',
  async (_, rig, args) => {
    const { server4, server6 } = rig.lab.addresses;
    const flows = 80;
    rig.engine = await rig.startEngine(['-p', watched, ...args]);
    const { done } = await chatter(rig, { hosts: [server4, server6], flows, bytes: 250_000, gapMs: 250 });
    let over = false;
    const finished = done.finally(() => {
      over = true;
    });
    await waitFor('all are taken', async () => (await rig.engine.stats()).flows.active === flows);
    const outcomes: ReleaseOutcome[] = [];
    // All the while: whoever is asked answers, the old engine or the new one.
    const releasing = releaseAtRandom(rig.engine, () => over, { share: 0.02, outcomes });
    for (let n = 0; n < REPLACEMENTS; n++) {
      await sleep(200);
      await replace(rig, ...args);
    }
    const result = await finished;
    await releasing;
    const counts = tally(outcomes);
    console.log(counts);
    expect(result).toMatchObject({ ok: flows, failed: {} });
    expect(counts.released).toBeGreaterThan(0);
    await waitFor('nothing is left', async () => (await rig.engine.stats()).flows.active === 0);
    expect((await rig.engine.stats()).flows.reset).toBe(0);
  },
  120_000,
);

it.each([4, 6] as const)(
  'IPv%s: the engine is replaced around urgent bytes, and each keeps its place',
  async (family) => {
    const rig = clear;
    rig.engine = await rig.startEngine(['-p', watched]);
    await withUrgentEnds(rig, family, async (c, s) => {
      // From one that does not keep to one that does, and back: each sends urgent bytes in its own way.
      for (const [n, args] of [['--keep'], [], ['--keep'], []].entries()) {
        const [from, to] = n < 2 ? [c, s] : [s, c];
        await sendUrgent(from);
        await replace(rig, ...args);
        await expectUrgent(from, to, `replacement ${n + 1}`);
      }
    });
  },
  60_000,
);
