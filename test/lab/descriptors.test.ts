/** An engine that has no descriptors left: what it cannot take is forwarded, and nothing is lost. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { useRig, watched } from './harness.js';
import { useNoTrace } from './hooks.js';
import type { Program } from './program.js';
import { type Held, startTalkers, untilTheyTalk } from './talkers.js';

const rig = useRig('descriptors', { run: null });
useNoTrace(rig);

/** More than there are descriptors for. */
const FLOWS = 60;
/** With one of them a flow finds one descriptor where it needs two. */
const ROOMS = [40, 41];

const limit = (most: number) =>
  execFileSync('prlimit', ['--pid', String(rig.engine.pid), `--nofile=${most}:`]);

/** Starts an engine and more flows than it has descriptors for. */
async function starved(room: number): Promise<Program> {
  rig.engine = await rig.startEngine(['-p', watched]);
  limit(readdirSync(`/proc/${rig.engine.pid}/fd`).length + room);
  const hold = await startTalkers(rig, rig.port(), FLOWS, 100);
  await untilTheyTalk(hold, 3 * FLOWS);
  return hold;
}

it.each(ROOMS)(
  'takes what it can, forwards the rest, and goes on as before when there are some again (%i)',
  async (room) => {
    const hold = await starved(room);
    expect(await hold.report<Held>()).toMatchObject({ ended: [] });
    // The control socket needs one, too.
    limit(4096);
    const full = await rig.engine.stats();
    expect(full.flows.active).toBeGreaterThan(room / 4);
    expect(full.flows.active).toBeLessThan(FLOWS / 2);
    expect(full.forwarded).toMatchObject({ tableFull: FLOWS - full.flows.active, failed: 0 });
    const again = await startTalkers(rig, rig.port(), FLOWS, 100);
    await untilTheyTalk(again, 3 * FLOWS);
    expect((await rig.engine.stats()).flows.active).toBe(full.flows.active + FLOWS);
    for (const each of [hold, again]) expect(await each.report<Held>()).toMatchObject({ ended: [] });
    await hold.stop();
    await again.stop();
  },
);

it('stops as usual', async () => {
  const hold = await starved(ROOMS[0] as number);
  expect(await rig.engine.stop()).toBe(0);
  await untilTheyTalk(hold, 3 * FLOWS);
  expect(await hold.report<Held>()).toMatchObject({ ended: [] });
  await hold.stop();
});
