/** An engine that is killed takes its connections with it, and nothing else. */
import { existsSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import type { Engine } from './engine.js';
import { bin, counts, useRig, waitFor, watched } from './harness.js';
import type { Program } from './program.js';
import { socketsOf, systemState } from './state.js';

const rig = useRig('crash', { run: null });
let hold: Program | undefined;

afterEach(async () => {
  await hold?.stop();
  if (rig.engine?.running) expect(await rig.engine.stop()).toBe(0);
});

interface Ended {
  ended: { how: string; at: number; port: number }[];
}

async function killUnderLoad(flows: number): Promise<{ engine: Engine; at: number; port: number }> {
  const engine = await rig.startEngine(['-p', watched]);
  rig.engine = engine;
  const port = rig.port();
  await rig.serve({ port, mode: 'echo' });
  hold = await rig.start('client', 'hold.mjs', { host: rig.lab.addresses.server4, port, flows, probe: true });
  await hold.line((line) => line.startsWith('{"busy"'));
  await waitFor('all are taken', async () => (await engine.stats()).flows.active >= flows);
  const at = Date.now();
  engine.child.kill('SIGKILL');
  await engine.ended(20_000);
  return { engine, at, port };
}

it('taken connections end, new ones pass, and the next engine starts without help', async () => {
  const { at, port } = await killUnderLoad(100);
  await waitFor(
    'every taken connection has ended',
    async () => (await (hold as Program).report<Ended>()).ended.length === 100,
  );
  const { ended } = await (hold as Program).report<Ended>();
  expect(Math.max(...ended.map((each) => each.at - at))).toBeLessThan(2000);

  const probes = () =>
    (hold as Program).lines.all
      .filter((line) => line.startsWith('{"probe"'))
      .map((line) => JSON.parse(line) as { probe: string; at: number })
      .filter((probe) => probe.at > at + 2000);
  await waitFor('ten connections without an engine', () => probes().length >= 10);
  expect(probes().filter(({ probe }) => probe !== 'ok')).toEqual([]);
  const served = rig.lab.exec('middle', ['ss', '-Htan', 'state', 'established']).stdout;
  expect(served, 'sockets in the middle').toBe('');

  rig.engine = await rig.startEngine(['-p', watched]);
  const gained = await rig.counted(async () => {
    expect((await rig.attempt(rig.lab.addresses.server4, port)).outcome).toBe('connected');
    await waitFor('the new engine intercepts', async () => (await rig.engine.stats()).flows.intercepted >= 3);
    await hold?.stop();
  });
  expect(counts(gained).intercepted).toBeGreaterThan(0);
  expect(await rig.engine.stop()).toBe(0);
  expect(systemState(rig.lab)).toBe(rig.before);
});

it('ports of taken connections can be used again while no engine runs', async () => {
  const { engine, port } = await killUnderLoad(10);
  const all = async () => (await (hold as Program).report<Ended>()).ended;
  await waitFor('every taken connection has ended', async () => (await all()).length === 10);
  const ended = await all();
  await hold?.stop();
  // What the kernel keeps of the dead engine's sockets must not swallow packets of whoever uses the same ports.
  const { server4 } = rig.lab.addresses;
  for (const flow of ended.slice(0, 5)) {
    expect(socketsOf(rig.lab), 'a socket that could').toContain(`:${flow.port} `);
    expect(await rig.attempt(server4, port, 3000, flow.port)).toMatchObject({ outcome: 'connected' });
  }
  rig.lab.exec('middle', [process.execPath, bin, 'clean', '--control', engine.control]);
  expect(socketsOf(rig.lab)).toBe('');
});

it('`desplice clean` removes what was left', async () => {
  const { engine, port } = await killUnderLoad(10);
  await waitFor(
    'every taken connection has ended',
    async () => (await (hold as Program).report<Ended>()).ended.length === 10,
  );
  const { ended } = await (hold as Program).report<Ended>();
  await hold?.stop();
  expect(systemState(rig.lab)).not.toBe(rig.before);
  const clean = () => rig.lab.exec('middle', [process.execPath, bin, 'clean', '--control', engine.control]);
  expect(clean().stdout).not.toContain('nothing to clean');
  await waitFor('nothing is left', () => systemState(rig.lab) === rig.before).catch(() => {});
  expect(systemState(rig.lab)).toBe(rig.before);
  expect(existsSync(engine.control)).toBe(false);
  expect(clean().stdout).toContain('nothing to clean');
  // What the kernel keeps of the dead engine's sockets (TIME_WAIT) must not swallow the SYN of a port used again.
  const { server4 } = rig.lab.addresses;
  for (const flow of ended.slice(0, 3)) {
    expect(await rig.attempt(server4, port, 3000, flow.port)).toMatchObject({ outcome: 'connected' });
  }
});
