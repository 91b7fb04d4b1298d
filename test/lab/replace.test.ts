/** `run --replace`: a new engine takes the place of a running one, and no connection is the worse for it. */
import { describe, expect, it } from 'vitest';
import type { Engine } from './engine.js';
import { type FlowsResult, sleep, useRig, waitFor, watched } from './harness.js';
import { useNoTrace, useReno } from './hooks.js';
import { type Held, startTalkers, untilTheyTalk } from './talkers.js';

const rig = useRig('replace', { run: null });

useReno(rig);
useNoTrace(rig);

const start = (...args: string[]): Promise<Engine> => rig.startEngine(['-p', watched, ...args]);

/** Starts a new engine in place of the running one, which has to end well. Returns for how long flows stood still. */
async function replace(...args: string[]): Promise<number> {
  const old = rig.engine;
  rig.engine = await start('--replace', ...args);
  expect(await old.ended(20_000), old.stderr).toBe(0);
  const took = rig.engine.events.find(({ event }) => event === 'tookOver');
  const left = old.events.find(({ event }) => event === 'replaced');
  expect(took).toBeDefined();
  expect(left).toMatchObject({ pid: rig.engine.pid, gapMs: took?.gapMs });
  return took?.gapMs as number;
}

const middle = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1] as number;

describe.each([
  ['IPv4, without --keep', 'server4', [], []],
  ['IPv6, without --keep', 'server6', [], []],
  ['IPv4, with --keep', 'server4', ['--keep'], ['--keep']],
  ['IPv4, from --keep to without', 'server4', ['--keep'], []],
  ['IPv4, from without to --keep', 'server4', [], ['--keep']],
  ['IPv4, from one worker to two', 'server4', [], ['--workers', '2']],
] as const)('%s', (_what, address, before, after) => {
  it('200 transfers and short connections go on through five replacements', async () => {
    const flows = 200;
    const bytes = 2_000_000;
    const host = rig.lab.addresses[address];
    const [port, shortPort] = [rig.port(), rig.port()];
    rig.engine = await start(...before);
    const pace = { seed: 5, chunk: 40_000, gapMs: 200 };
    await rig.serve({ port, mode: 'exchange', send: bytes, when: 'connect', pace });
    await rig.serve({ port: shortPort, mode: 'exchange', send: 3000, when: 'data' });
    let over = false;
    const done = Promise.all([
      rig.client<FlowsResult>({ host, port, flows, send: bytes, expect: bytes, pace }, 'client.mjs', 90_000),
      rig.client<FlowsResult>(
        { host, port: shortPort, flows: 100_000, parallel: 5, forMs: 6000, send: 500, expect: 3000 },
        'client.mjs',
        90_000,
      ),
    ]).finally(() => {
      over = true;
    });
    await waitFor('all are taken', async () => (await rig.engine.stats()).flows.active >= flows);
    const gaps: number[] = [];
    for (let round = 0; round < 5; round++) {
      await sleep(200);
      expect(over, 'they still run').toBe(false);
      gaps.push(await replace(...(round % 2 === 0 ? after : before)));
    }
    const [long, short] = await done;
    console.log(JSON.stringify({ gaps, short, ...(await rig.engine.stats()).flows }));
    expect(long).toMatchObject({ ok: flows, failed: {} });
    expect(short.failed).toEqual({});
    expect(middle(gaps)).toBeLessThan(100);
    await waitFor('they are closed', async () => (await rig.engine.stats()).flows.active === 0);
    const { flows: counted } = await rig.engine.stats();
    // Nearly all that came meanwhile: what is held when the number of workers changes is forwarded.
    expect(counted.intercepted).toBeGreaterThan((flows + short.ok) * 0.95);
    expect(counted).toMatchObject({ closed: counted.intercepted, reset: 0 });
  });
});

const many = Number(process.env.DESPLICE_TEST_FLOWS ?? 1000);

it.each([[[]], [['--keep']]])(
  `${many} flows that talk stand still for less than 100 ms (%s)`,
  async (args) => {
    rig.engine = await start(...args);
    const hold = await startTalkers(rig, rig.port(), many, 1000);
    const gaps: number[] = [];
    for (let round = 0; round < 5; round++) gaps.push(await replace(...args));
    console.log(JSON.stringify({ gaps }));
    expect(middle(gaps)).toBeLessThan(100);
    await untilTheyTalk(hold, 2 * many);
    expect(await hold.report<Held>()).toMatchObject({ ended: [] });
    expect((await rig.engine.stats()).flows).toMatchObject({ intercepted: many, active: many, reset: 0 });
    await hold.stop();
    await waitFor('they are closed', async () => (await rig.engine.stats()).flows.active === 0);
  },
);
