/** `run --keep` where more is going on than relaying: engines that are killed while they release, and while packets are lost. */
import { expect, it } from 'vitest';
import type { ReleaseOutcome } from '../../src/flow/stats.js';
import { chance, streamOf } from '../../src/lab/chance.js';
import { type FlowsResult, sleep, useRig, waitFor, watched } from './harness.js';
import { useNoTrace, useReno } from './hooks.js';
import { kill } from './kept.js';
import { chatter, releaseAtRandom, roughPath, tally } from './releases.js';
import { connectionsOf } from './state.js';
import { expectUrgent, sendUrgent, withUrgentEnds } from './urgent.js';

const KILLS = 8;

const clear = useRig('keepreleasing', { run: null });
const rough = useRig('keeprough', { run: null, path: roughPath });

useReno(clear, rough);
useNoTrace(clear, rough);

it.each([
  ['a clear path', clear],
  ['a path that delays and loses', rough],
])(
  '%s: flows are released all the while, and the engine is killed: every byte arrives',
  async (_, rig) => {
    const start = () => rig.startEngine(['-p', watched, '--keep']);
    const { server4, server6 } = rig.lab.addresses;
    const flows = 80;
    rig.engine = await start();
    const { done } = await chatter(rig, { hosts: [server4, server6], flows, bytes: 250_000, gapMs: 250 });
    let over = false;
    const finished = done.finally(() => {
      over = true;
    });
    await waitFor('all are taken', async () => (await rig.engine.stats()).flows.active === flows);
    const stream = streamOf(11, 0);
    const outcomes: ReleaseOutcome[] = [];
    let interrupted = 0;
    for (let n = 0; n < KILLS; n++) {
      let killed = false;
      // Few at a time, so that each engine has some left to release when it is killed.
      const releasing = releaseAtRandom(rig.engine, () => killed || over, { share: 0.05, outcomes }).catch(
        (error: Error) => {
          if (!killed) throw error;
          interrupted++;
        },
      );
      await sleep(100 + chance(stream, n) * 200);
      killed = true;
      await kill(rig.engine);
      await releasing;
      rig.engine = await start();
    }
    const last = releaseAtRandom(rig.engine, () => over, { outcomes });
    const result: FlowsResult = await finished;
    await last;
    const counts = tally(outcomes);
    console.log({ ...counts, interrupted });
    expect(result).toMatchObject({ ok: flows, failed: {} });
    expect(interrupted, 'engines killed while they released').toBeGreaterThan(0);
    expect(counts.released).toBeGreaterThan(0);
    await waitFor('nothing is left', async () => (await rig.engine.stats()).flows.active === 0);
    expect((await rig.engine.stats()).flows.reset).toBe(0);
    expect(connectionsOf(rig.lab)).toBe('');
  },
  120_000,
);

/** When the engine is killed, of the two bytes before the mark and the urgent one. */
const moments = ['before they are sent', 'when they are sent', 'a moment later'] as const;

it.each([4, 6] as const)(
  'IPv%s: the engine is killed around urgent bytes, and each keeps its place',
  async (family) => {
    const rig = clear;
    const start = () => rig.startEngine(['-p', watched, '--keep']);
    rig.engine = await start();
    const stream = streamOf(5, family);
    await withUrgentEnds(rig, family, async (c, s) => {
      for (const [n, moment] of [...moments, ...moments].entries()) {
        const [from, to] = n % 2 === 0 ? [c, s] : [s, c];
        if (moment === 'before they are sent') await kill(rig.engine);
        await sendUrgent(from);
        if (moment === 'a moment later') await sleep(chance(stream, n) * 4);
        if (moment !== 'before they are sent') await kill(rig.engine);
        rig.engine = await start();
        await expectUrgent(from, to, moment);
      }
    });
  },
  60_000,
);
