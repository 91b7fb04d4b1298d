/** A normal stop leaves the machine as it was, and the ends get to know. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { useRig, waitFor, watched } from './harness.js';
import type { Program } from './program.js';
import { socketsOf, systemState } from './state.js';

const rig = useRig('teardown', { run: null });
/** How long a stop waits for flows that it cannot release: one that waits for nothing takes less. */
const DRAIN_MS = 5000;
let hold: Program | undefined;

afterEach(async () => {
  await hold?.stop();
  if (rig.engine?.running) await rig.engine.stop();
});

async function busy(flows: number, args: string[]): Promise<number> {
  rig.engine = await rig.startEngine(['-p', watched, ...args]);
  const port = rig.port();
  await rig.serve({ port, mode: 'echo' });
  hold = await rig.start('client', 'hold.mjs', { host: rig.lab.addresses.server4, port, flows });
  await hold.line((line) => line.startsWith('{"busy"'));
  await waitFor('all are taken', async () => (await rig.engine.stats()).flows.active === flows);
  return port;
}

it.each(['SIGTERM', 'SIGINT'] as const)(
  '%s without flows ends at once and leaves nothing',
  async (signal) => {
    rig.engine = await rig.startEngine(['-p', watched]);
    const began = Date.now();
    expect(await rig.engine.stop(signal)).toBe(0);
    expect(Date.now() - began).toBeLessThan(DRAIN_MS);
    expect(systemState(rig.lab)).toBe(rig.before);
    expect(existsSync(rig.engine.control)).toBe(false);
  },
);

it('flows are released: their ends go on without us', async () => {
  await busy(20, []);
  const began = Date.now();
  expect(await rig.engine.stop()).toBe(0);
  expect(Date.now() - began).toBeLessThan(DRAIN_MS);
  expect(rig.engine.events).toContainEqual(
    expect.objectContaining({ event: 'drained', released: 20, ended: 0, reset: 0 }),
  );
  expect(socketsOf(rig.lab), 'sockets in the middle').toBe('');
  expect(systemState(rig.lab)).toBe(rig.before);
  const report = () => (hold as Program).report<{ ended: unknown[]; answers: number }>();
  const { answers } = await report();
  await waitFor('every flow has been answered again', async () => (await report()).answers >= answers + 40);
  expect((await report()).ended).toEqual([]);
});

it('a stop in the middle of 500 conversations breaks none', async () => {
  const port = rig.port();
  const rule = (action: string) => `  - { ports: [${port}], ${action} }\n`;
  const file = join(rig.folder, 'peek.yaml');
  // The first bytes are no protocol that it knows: half of them are looked at, and all are relayed.
  const peek = rule(`from: [${rig.lab.addresses.client4}], action: peek, otherwise: relay`);
  writeFileSync(file, `interfaces: [toclient, toserver]\nrules:\n${peek}${rule('action: relay')}`);
  rig.engine = await rig.startEngine(['-c', file, '--drain', '30'], []);
  const pace = { seed: 5, chunk: 4000, gapMs: 400 };
  const bytes = 60_000;
  await rig.serve({ port, mode: 'exchange', send: bytes, when: 'data', pace });
  const talks = (['server4', 'server6'] as const).map((server) =>
    rig.client({ host: rig.lab.addresses[server], port, flows: 250, send: bytes, expect: bytes, pace }),
  );
  // A machine that is too busy for a heartbeat forwards some.
  await waitFor('all have begun', async () => {
    const { flows, forwarded } = await rig.engine.stats();
    return flows.intercepted + forwarded.engineStale === 500;
  });
  expect((await rig.engine.stats()).flows.active).toBeGreaterThan(250);
  expect(await rig.engine.stop()).toBe(0);
  expect(socketsOf(rig.lab), 'sockets in the middle').toBe('');
  expect(rig.engine.events.at(-1)).toMatchObject({ event: 'drained', reset: 0 });
  for (const talk of talks) expect(await talk).toMatchObject({ ok: 250, failed: {} });
});

it('flows that a handler keeps beyond --drain are reset, and both ends know', async () => {
  const handler = join(rig.folder, 'echo.mjs');
  writeFileSync(handler, 'export default ({ client, server }) => void client.pipe(server).pipe(client);');
  await busy(20, ['--action', `handle=${handler}`, '--drain', '1']);
  expect(await rig.engine.stop()).toBe(0);
  expect(rig.engine.events).toContainEqual(
    expect.objectContaining({ event: 'drained', released: 0, ended: 0, reset: 20 }),
  );
  await waitFor('every connection was reset', async () => {
    const { ended } = await (hold as Program).report<{ ended: { how: string }[] }>();
    return ended.length === 20 && ended.every(({ how }) => how === 'ECONNRESET');
  });
  expect(socketsOf(rig.lab), 'sockets in the middle').toBe('');
  expect(systemState(rig.lab)).toBe(rig.before);
});

it('new connections pass while the old ones drain', async () => {
  const port = await busy(5, ['--drain', '3']);
  const stopping = rig.engine.stop();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const late = await rig.start('client', 'hold.mjs', { host: rig.lab.addresses.server4, port, flows: 5 });
  await late.line((line) => line.startsWith('{"busy"'));
  expect(await stopping).toBe(0);
  // They were never taken: the end of the engine does not concern them.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await late.report<{ ended: unknown[] }>()).ended).toEqual([]);
  await late.stop();
});

it('starts and stops four times in a row', async () => {
  for (let i = 0; i < 4; i++) {
    rig.engine = await rig.startEngine(['-p', watched]);
    expect(await rig.engine.stop()).toBe(0);
  }
  expect(systemState(rig.lab)).toBe(rig.before);
});

it('an interface that vanishes is reported, and what is left is removed', async () => {
  rig.lab.exec('middle', ['ip', 'link', 'add', 'spare0', 'type', 'veth', 'peer', 'name', 'spare1']);
  rig.lab.exec('middle', ['ip', 'link', 'set', 'spare0', 'up']);
  rig.engine = await rig.startEngine(['-p', watched], ['toclient', 'toserver', 'spare0']);
  rig.lab.exec('middle', ['ip', 'link', 'del', 'spare0']);
  const said = () => rig.engine.stderr + rig.engine.events.map(({ message }) => message).join('\n');
  await waitFor('it says so', () => said().includes('spare0'));
  expect(await rig.engine.ended(20_000)).toBe(1);
  expect(systemState(rig.lab)).toBe(rig.before);
});
