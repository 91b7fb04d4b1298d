/** `run --keep`: an engine that is killed breaks no relayed flow, and whatever is killed besides, nothing is left. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Engine } from './engine.js';
import { bin, type FlowsResult, sleep, useRig, waitFor, watched } from './harness.js';
import { useNoTrace, useReno } from './hooks.js';
import { keepersOf, kill } from './kept.js';
import type { Program } from './program.js';
import { connectionsOf } from './state.js';
import { type Held, startTalkers, untilTheyTalk } from './talkers.js';

const rig = useRig('keep', { run: null });
const long = process.env.DESPLICE_TEST_LONG === '1';
const transfers = long
  ? { flows: 500, bytes: 20_000_000, kills: 20 }
  : { flows: 60, bytes: 5_000_000, kills: 6 };

const BULK = { flows: 4, bytes: long ? 2_000_000_000 : 300_000_000 };

useReno(rig);
useNoTrace(rig);

const keepers = (): number[] => keepersOf(rig.lab);

const start = (...args: string[]): Promise<Engine> => rig.startEngine(['-p', watched, '--keep', ...args]);

/** One that is not waited for. */
function launch(...args: string[]): ChildProcess {
  const flags = ['-i', 'toclient', '-i', 'toserver', '-p', watched, '--control', rig.engine.control];
  return rig.lab.spawn('middle', [process.execPath, bin, 'run', ...flags, '--keep', ...args]);
}

const clean = (): string =>
  rig.lab.exec('middle', [process.execPath, bin, 'clean', '--control', rig.engine.control]).stdout;

let x = Number(process.env.DESPLICE_TEST_SEED ?? 7);
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
    await waitFor('all are taken', async () => (await rig.engine.stats()).flows.active === all);
    let kills = 0;
    let pauses = 0;
    for (; kills < transfers.kills && !over; kills++) {
      await sleep(chance() * (long ? 1500 : 150));
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

const talkers = (port: number, flows: number): Promise<Program> => startTalkers(rig, port, flows, 300);

const taken = (flows: number): Promise<void> =>
  waitFor('they are taken', async () => (await rig.engine.stats()).flows.active === flows);

/** How many connections an engine takes at least before it is killed. */
const OWN_FLOWS = 20;

it('short connections that come all the while are unhurt by kills', async () => {
  const port = rig.port();
  rig.engine = await start();
  await rig.serve({ port, mode: 'exchange', send: 3000, when: 'data' });
  let over = false;
  const options = { host: rig.lab.addresses.server4, port, flows: long ? 100_000 : 15_000, parallel: 30 };
  const done = rig
    .client<FlowsResult>({ ...options, send: 500, expect: 3000 }, 'client.mjs', 100_000)
    .finally(() => {
      over = true;
    });
  let kills = 0;
  const killedAt: number[] = [];
  const intercepted = async () => (await rig.engine.stats()).flows.intercepted;
  for (let before = 0; !over && kills < transfers.kills * 4; kills++) {
    // Every other engine has flows of its own before it is killed, the rest are killed at any moment: where restarts take
    // longer than a second, nearly all connections that come meanwhile are forwarded.
    if (kills % 2 === 0) {
      await waitFor('flows are taken', async () => over || (await intercepted()) >= before + OWN_FLOWS);
      before = await intercepted();
    }
    await sleep(chance() * 400);
    killedAt.push(Date.now());
    await kill(rig.engine);
    rig.engine = await start();
    const said = rig.engine.events.filter(
      ({ event, reset }) => event !== 'ready' && (event !== 'adopted' || reset),
    );
    if (said.length > 0) console.log(said);
  }
  const result = await done;
  // What there is to know of a connection that was hurt must be in the log: it may not come again soon.
  console.log(JSON.stringify({ kills, killedAt, result, ...(await rig.engine.stats()).flows }));
  expect(result).toMatchObject({ ok: options.flows, failed: {} });
  await taken(0);
  // Those that were over before their engine was killed are counted as one or the other.
  const { flows } = await rig.engine.stats();
  expect(flows.intercepted).toBeGreaterThanOrEqual((kills / 2 - 1) * OWN_FLOWS);
  expect(flows.intercepted).toBeGreaterThanOrEqual(OWN_FLOWS);
  expect(flows.reset).toBe(0);
});

/** Until `undo` a list of sockets takes its time, as one of very many does: what is on it may be another thing by its end. */
function slowLists(): { undo: () => void } {
  const list = execFileSync('sh', ['-c', 'command -v ss'], { encoding: 'utf8' }).trim();
  const text = `#!/bin/sh\nfor i in $(seq 20); do ${list} "$@"; done\n`;
  writeFileSync(join(rig.folder, 'ss'), text, { mode: 0o755 });
  const { PATH } = process.env;
  process.env.PATH = `${rig.folder}:${PATH}`;
  return {
    undo: () => {
      process.env.PATH = PATH;
    },
  };
}

it('connections that come while an engine takes over are unhurt, also when it is killed meanwhile', async () => {
  const port = rig.port();
  const lists = slowLists();
  try {
    rig.engine = await start();
    await rig.serve({ port, mode: 'exchange', send: 3000, when: 'data' });
    let over = false;
    const options = { host: rig.lab.addresses.server4, port, flows: 100_000, parallel: 30, forMs: 15_000 };
    const done = rig
      .client<FlowsResult>({ ...options, send: 500, expect: 3000 }, 'client.mjs', 90_000)
      .finally(() => {
        over = true;
      });
    while (!over) {
      // As soon as there is a new one, it takes what the killed one held for nobody.
      for (const attempts of [0, 1]) {
        await sleep(300 + chance() * 300);
        await kill(rig.engine);
        if (attempts > 0) {
          const child = launch();
          const exit = new Promise((resolve) => child.once('exit', resolve));
          await sleep(300 + chance() * 500);
          child.kill('SIGKILL');
          await exit;
        }
        rig.engine = await start();
      }
    }
    const result = await done;
    console.log(JSON.stringify({ result, ...(await rig.engine.stats()).flows }));
    expect(result.failed).toEqual({});
  } finally {
    lists.undo();
  }
  await taken(0);
  const { flows } = await rig.engine.stats();
  expect(flows.intercepted).toBeGreaterThan(0);
  expect(flows.reset).toBe(0);
});

it('without an engine, taken flows wait and new ones are forwarded; `desplice clean` ends it all', async () => {
  const port = rig.port();
  rig.engine = await start();
  const hold = await talkers(port, 10);
  await taken(10);
  await kill(rig.engine);
  await sleep(1500);
  expect(keepers()).toHaveLength(1);
  expect(await rig.attempt(rig.lab.addresses.server4, port)).toMatchObject({ outcome: 'connected' });
  expect((await hold.report<Held>()).ended).toEqual([]);
  expect(clean()).toMatch(/removed keeper \(process \d+\) of a killed engine; 10 flows were reset/);
  await waitFor('all are reset', async () => (await hold.report<Held>()).ended.length === 10);
  expect((await hold.report<Held>()).ended.map(({ how }) => how)).toEqual(Array(10).fill('ECONNRESET'));
  expect(clean()).toContain('nothing to clean');
  await hold.stop();
});

it('the keeper is killed with its engine: flows end, nothing is left, and the next engine starts', async () => {
  const port = rig.port();
  rig.engine = await start();
  const hold = await talkers(port, 10);
  await taken(10);
  await kill(rig.engine);
  for (const pid of keepers()) process.kill(pid, 'SIGKILL');
  await waitFor('all have ended', async () => (await hold.report<Held>()).ended.length === 10);
  await hold.stop();
  rig.engine = await start();
  const again = await talkers(rig.port(), 5);
  await taken(5);
  await again.stop();
  await taken(0);
});

it('an engine that is killed while it takes over leaves all to the next one', async () => {
  rig.engine = await start('--workers', '2');
  const hold = await talkers(rig.port(), 40);
  await taken(40);
  for (let round = 0; round < (long ? 60 : 8); round++) {
    await kill(rig.engine);
    for (let attempt = 0; attempt < 2; attempt++) {
      const child = launch('--workers', String(1 + attempt));
      const exit = new Promise((resolve) => child.once('exit', resolve));
      await sleep(150 + chance() * 700);
      child.kill('SIGKILL');
      await exit;
    }
    rig.engine = await start('--workers', '2');
    await untilTheyTalk(hold);
  }
  expect(await hold.report<Held>()).toMatchObject({ ended: [] });
  expect((await rig.engine.stats()).flows).toMatchObject({ intercepted: 40, active: 40, reset: 0 });
  await hold.stop();
  await taken(0);
});

it('a keeper that is killed under a running engine breaks nothing, and another one takes its place', async () => {
  rig.engine = await start();
  const hold = await talkers(rig.port(), 10);
  await taken(10);
  for (const pid of keepers()) process.kill(pid, 'SIGKILL');
  await untilTheyTalk(hold);
  await waitFor('there is another one', () => keepers().length === 1);
  expect(rig.engine.events.map(({ event }) => event)).toContain('keeperGone');
  await kill(rig.engine);
  rig.engine = await start();
  await untilTheyTalk(hold);
  expect(await hold.report<Held>()).toMatchObject({ ended: [] });
  await hold.stop();
  await taken(0);
});

it('an engine without --keep, and one of another version, reset what was kept and say so', async () => {
  for (const how of ['without --keep', 'another version']) {
    rig.engine = await start();
    const hold = await talkers(rig.port(), 10);
    await taken(10);
    await kill(rig.engine);
    if (how === 'another version') writeVersion(keepers()[0] as number, 99);
    rig.engine = how === 'without --keep' ? await rig.startEngine(['-p', watched]) : await start();
    await waitFor('all are reset', async () => (await hold.report<Held>()).ended.length === 10);
    const said = rig.engine.events.find(({ event }) => event === 'notAdopted');
    expect(said?.message).toContain('10 flows are reset');
    expect(said?.message).toContain(how);
    await hold.stop();
    expect(await rig.engine.stop()).toBe(0);
  }
});

/** As if an engine with another layout had left it. */
function writeVersion(pid: number, version: number): void {
  const folder = `/proc/${pid}/fd`;
  const name = readdirSync(folder).find((fd) => readlinkSync(`${folder}/${fd}`).includes('desplice-flows'));
  const fd = openSync(`${folder}/${name}`, 'r+');
  writeSync(fd, new Uint8Array([version]), 0, 1, 4);
  closeSync(fd);
}

it('flows that handlers have are reset by the next engine, which says so; relayed ones go on', async () => {
  const handled = rig.port();
  const relayed = rig.port();
  const file = join(rig.folder, 'rules.yaml');
  const module = join(rig.folder, 'pass.mjs');
  writeFileSync(module, 'export default (flow) => flow.client.pipe(flow.server).pipe(flow.client);\n');
  const rules = [`  - { ports: [${handled}], action: "handle=${module}" }`, `  - { ports: [${relayed}] }`];
  writeFileSync(file, `rules:\n${rules.join('\n')}\n`);
  const run = () => rig.startEngine(['-c', file, '--keep']);
  rig.engine = await run();
  const [lost, kept] = [await talkers(handled, 4), await talkers(relayed, 10)];
  await taken(14);
  await untilTheyTalk(lost);
  const names = (await rig.engine.flows()).filter(({ action }) => action === 'relay').map(({ id }) => id);
  await kill(rig.engine);
  rig.engine = await run();
  await waitFor('they are reset', async () => (await lost.report<Held>()).ended.length === 4);
  const said = rig.engine.events.find(({ event }) => event === 'adopted');
  expect(said).toMatchObject({ adopted: 10, reset: 4 });
  await untilTheyTalk(kept);
  expect((await rig.engine.flows()).map(({ id }) => id).sort()).toEqual(names.sort());
  expect((await rig.engine.stats()).flows).toMatchObject({ intercepted: 14, active: 10, reset: 4 });
  // They are still as good as any: they can be released.
  expect((await rig.engine.release('all')).map(({ result }) => result)).toEqual(Array(10).fill('released'));
  await untilTheyTalk(kept);
  await lost.stop();
  await kept.stop();
});

it('an interface that was renamed meanwhile keeps no program', async () => {
  const rename = (from: string, to: string) =>
    rig.lab.exec('middle', [
      'sh',
      '-c',
      `ip link set ${from} down; ip link set ${from} name ${to}; ip link set ${to} up`,
    ]);
  rig.engine = await start();
  await kill(rig.engine);
  rig.lab.exec('middle', ['ip', 'link', 'add', 'spare', 'type', 'veth']);
  rig.engine = await rig.startEngine(['-p', watched, '--keep'], ['toclient', 'toserver', 'spare']);
  await kill(rig.engine);
  rename('spare', 'other');
  rig.engine = await start();
  const filters = rig.lab.exec('middle', ['tc', 'filter', 'show', 'dev', 'other', 'ingress']).stdout;
  expect(filters).toBe('');
  rig.lab.exec('middle', ['ip', 'link', 'del', 'other']);
});
