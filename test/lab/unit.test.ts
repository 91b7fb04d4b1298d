/** packaging/desplice.service under a real systemd: what it promises about starts, stops, kills and reloads. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Stats } from '../../src/flow/stats.js';
import { bin, root, useRig, waitFor } from './harness.js';
import { keepersOf } from './kept.js';
import type { Program } from './program.js';
import { controlGroups, ServiceManager } from './service-manager.js';
import { socketsOf, systemState } from './state.js';
import { type Held, startTalkers, untilTheyTalk } from './talkers.js';

const unit = 'desplice.service';
const rig = useRig('unit', { run: null });
const possible = it.skipIf(controlGroups === undefined);
let manager: ServiceManager;
let control: string;
let file: string;

beforeAll(async () => {
  if (controlGroups === undefined) return;
  control = join(rig.folder, 'control.sock');
  file = join(rig.folder, 'desplice.yaml');
  manager = new ServiceManager(rig.lab, rig.folder);
  const text = readFileSync(join(root, 'packaging', unit), 'utf8');
  // Only where things are differs from what is packaged.
  const command = /^ExecStart=\S+ (.*)$/m.exec(text)?.[1]?.replace('/etc/desplice.yaml', file);
  const run = `${process.execPath} ${bin} ${command} --control ${control}`;
  manager.add(unit, text, `[Service]\nExecStart=\nExecStart=${run}\n`);
  await manager.ready();
});

afterAll(() => manager?.stop());

const configure = (...ports: number[]): void =>
  writeFileSync(file, `interfaces: [toclient, toserver]\nrules:\n  - { ports: [${ports}] }\n`);

const stats = (): Promise<Stats> =>
  new Promise((resolve, reject) => {
    const argv = [bin, 'stats', '--json', '--control', control];
    execFile(process.execPath, argv, (error, stdout) =>
      error ? reject(error) : resolve(JSON.parse(stdout)),
    );
  });

const active = (flows: number): Promise<void> =>
  waitFor(`${flows} flows`, async () => (await stats()).flows.active === flows);

const pid = async (): Promise<number> => Number(await manager.property(unit, 'MainPID'));

const talkers = (port: number, flows: number): Promise<Program> => startTalkers(rig, port, flows, 300);

async function go(hold: Program): Promise<void> {
  await untilTheyTalk(hold);
  expect((await hold.report<Held>()).ended).toEqual([]);
}

possible(
  'starts, goes on after a kill, reloads, is replaced, stops, and leaves nothing',
  { timeout: 90_000 },
  async () => {
    const [first, second] = [rig.port(), rig.port()];
    configure(first);
    // It comes back when the unit has said that it is ready.
    await manager.control('start', unit);
    const before = await pid();
    const hold = await talkers(first, 10);
    await active(10);

    process.kill(before, 'SIGKILL');
    await waitFor('another engine', async () => ![0, before].includes(await pid()));
    await waitFor('it is ready', async () => (await manager.property(unit, 'ActiveState')) === 'active');
    expect((await stats()).flows).toMatchObject({ intercepted: 10, active: 10, reset: 0 });
    await go(hold);

    configure(first, second);
    await manager.control('reload', unit);
    const more = await talkers(second, 5);
    await active(15);

    // Another version may be on disk by now: the main process becomes another one, and no flow is broken.
    const replaced = await pid();
    await manager.control('kill', '--kill-whom=main', '-s', 'USR2', unit);
    await waitFor('another main process', async () => ![0, replaced].includes(await pid()));
    await waitFor('the old one has ended', () => !existsSync(`/proc/${replaced}`));
    expect(await manager.property(unit, 'ActiveState')).toBe('active');
    expect(await manager.property(unit, 'NRestarts'), 'restarts: that after the kill').toBe('1');
    await active(15);
    await go(hold);
    await go(more);

    await manager.control('stop', unit);
    expect(await manager.property(unit, 'Result')).toBe('success');
    expect(existsSync(control)).toBe(false);
    // They were released.
    await go(hold);
    await go(more);
    expect(keepersOf(rig.lab)).toEqual([]);
    expect(socketsOf(rig.lab)).toBe('');
    expect(systemState(rig.lab)).toBe(rig.before);
  },
);
