/** `run --keep`: an engine that is killed breaks no relayed flow, and whatever is killed besides, nothing is left. */
import { execFileSync } from 'node:child_process';
import { afterEach, expect, it } from 'vitest';
import type { Engine } from './engine.js';
import { bin, type FlowsResult, sleep, useRig, waitFor, watched } from './harness.js';
import type { Program } from './program.js';
import { connectionsOf, socketsOf, systemState } from './state.js';

const rig = useRig('keep', { run: null });
const long = process.env.DESPLICE_TEST_LONG === '1';
const transfers = long
  ? { flows: 500, bytes: 20_000_000, kills: 20 }
  : { flows: 60, bytes: 5_000_000, kills: 6 };

const BULK = { flows: 4, bytes: long ? 2_000_000_000 : 300_000_000 };

afterEach(async () => {
  if (rig.engine?.running) expect(await rig.engine.stop()).toBe(0);
  expect(keepers(), 'keepers').toEqual([]);
  expect(socketsOf(rig.lab), 'sockets in the middle').toBe('');
  expect(systemState(rig.lab)).toBe(rig.before);
});

/** Processes that hold descriptors in the middle's network namespace. */
function keepers(): number[] {
  const pids = rig.lab
    .exec('middle', ['ip', 'netns', 'pids', rig.lab.namespace('middle')])
    .stdout.split('\n');
  return pids.filter((pid) => pid !== '' && nameOf(pid).startsWith('desplice-keep')).map(Number);
}

function nameOf(pid: string): string {
  try {
    return execFileSync('cat', [`/proc/${pid}/comm`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return '';
  }
}

const start = (...args: string[]): Promise<Engine> => rig.startEngine(['-p', watched, '--keep', ...args]);

async function kill(engine: Engine): Promise<void> {
  engine.child.kill('SIGKILL');
  expect(await engine.ended(3000), 'its output is closed').toBe(-1);
}

const clean = (): string =>
  rig.lab.exec('middle', [process.execPath, bin, 'clean', '--control', rig.engine.control]).stdout;

let x = 7;
const chance = (): number => {
  x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
  return x / 2 ** 32;
};

it.each([['1'], ['2']])(
  `${transfers.flows} transfers, ${transfers.kills} kills, %s workers: every byte arrives`,
  async (workers) => {
    const port = rig.port();
    rig.engine = await start('--workers', workers);
    // Some as fast as they can, so that buffers and pipes are full, and many at their own pace.
    const pace = { seed: 5, chunk: 100_000, gapMs: 100 };
    const { host, all } = { host: rig.lab.addresses.server4, all: transfers.flows + BULK.flows };
    await rig.serve({ port, mode: 'exchange', send: transfers.bytes, when: 'connect', pace });
    const bulkPort = rig.port();
    await rig.serve({ port: bulkPort, mode: 'exchange', send: BULK.bytes, when: 'connect' });
    const run = (port: number, { flows, bytes }: { flows: number; bytes: number }, more: object) =>
      rig.client<FlowsResult>(
        { host, port, flows, send: bytes, expect: bytes, ...more },
        'client.mjs',
        long ? 1_200_000 : 100_000,
      );
    let over = false;
    const done = Promise.all([run(port, transfers, { pace }), run(bulkPort, BULK, {})]).finally(() => {
      over = true;
    });
    await waitFor('all are taken', async () => (await rig.engine.stats()).flows.active === all, 20_000);
    let kills = 0;
    let pauses = 0;
    for (; kills < transfers.kills && !over; kills++) {
      await sleep(chance() * (long ? 3000 : 150));
      await kill(rig.engine);
      const at = Date.now();
      rig.engine = await start('--workers', workers);
      pauses += Date.now() - at;
    }
    const { flows } = await rig.engine.stats();
    expect(await done).toMatchObject([
      { ok: transfers.flows, failed: {} },
      { ok: BULK.flows, failed: {} },
    ]);
    console.log({ kills, pauseMs: Math.round(pauses / kills), activeAfterLastKill: flows.active });
    expect(kills).toBe(transfers.kills);
    await waitFor('they are closed', async () => (await rig.engine.stats()).flows.active === 0);
    const stats = await rig.engine.stats();
    expect(stats.flows).toMatchObject({ intercepted: all, closed: all, reset: 0 });
    expect(connectionsOf(rig.lab)).toBe('');
  },
  long ? 1_500_000 : 120_000,
);
