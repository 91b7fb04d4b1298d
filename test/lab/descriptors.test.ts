/** An engine that has no descriptors left: what it cannot take is forwarded, and nothing is lost. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { useRig, watched } from './harness.js';
import { useNoTrace } from './hooks.js';
import type { Program } from './program.js';
import { type Held, startTalkers, untilTheyTalk } from './talkers.js';

const rig = useRig('descriptors', { run: null });
useNoTrace(rig);

/** More than there are descriptors for. */
const FLOWS = 60;
/** With some of them a flow finds fewer descriptors than it needs. */
const ROOMS = [40, 41, 42, 43];
const handler = fileURLToPath(new URL('../programs/handle-pipe.mjs', import.meta.url));

const limit = (most: number) =>
  execFileSync('prlimit', ['--pid', String(rig.engine.pid), `--nofile=${most}:`]);

/** Starts an engine and more flows than it has descriptors for. */
async function starved(room: number, args: readonly string[]): Promise<Program> {
  rig.engine = await rig.startEngine(['-p', watched, ...args]);
  limit(readdirSync(`/proc/${rig.engine.pid}/fd`).length + room);
  const hold = await startTalkers(rig, rig.port(), FLOWS, 100);
  await untilTheyTalk(hold, 3 * FLOWS);
  return hold;
}

describe.each([
  ['relay', []],
  ['relay --keep', ['--keep']],
  ['handle', ['--action', `handle=${handler}`]],
] as const)('%s', (_what, args) => {
  it.each(ROOMS)(
    'takes what it can, forwards the rest, and goes on when there are some again (%i)',
    async (room) => {
      const hold = await starved(room, args);
      expect(await hold.report<Held>()).toMatchObject({ ended: [] });
      // The control socket needs one, too.
      limit(4096);
      const full = await rig.engine.stats();
      expect(full.flows.active).toBeGreaterThan(0);
      expect(full.forwarded).toMatchObject({ tableFull: FLOWS - full.flows.active, failed: 0 });
      expect(full.forwarded.tableFull).toBeGreaterThan(FLOWS / 4);
      const again = await startTalkers(rig, rig.port(), FLOWS, 100);
      await untilTheyTalk(again, 3 * FLOWS);
      expect((await rig.engine.stats()).flows.active).toBe(full.flows.active + FLOWS);
      for (const each of [hold, again]) expect(await each.report<Held>()).toMatchObject({ ended: [] });
      await hold.stop();
      await again.stop();
    },
  );
});

it('stops as usual', async () => {
  const hold = await starved(ROOMS[0] as number, []);
  expect(await rig.engine.stop()).toBe(0);
  await untilTheyTalk(hold, 3 * FLOWS);
  expect(await hold.report<Held>()).toMatchObject({ ended: [] });
  await hold.stop();
});
