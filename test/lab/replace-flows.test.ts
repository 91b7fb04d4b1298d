/** A hand-over and everything that is not a relayed flow: handlers, first bytes, releases, rules, signals, sockets. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { callControl } from '../../src/control/client.js';
import type { Engine } from './engine.js';
import { bin, root, sleep, useRig, waitFor, watched } from './harness.js';
import { useNoTrace, useReno } from './hooks.js';
import type { Program } from './program.js';
import { type Held, startTalkers, untilTheyTalk } from './talkers.js';

const rig = useRig('replace-flows', { run: null });

useReno(rig);
useNoTrace(rig);

const start = (...args: string[]): Promise<Engine> => rig.startEngine(['-p', watched, ...args]);

const talkers = (port: number, flows: number): Promise<Program> => startTalkers(rig, port, flows, 100);

const active = async (): Promise<number> => (await rig.engine.stats()).flows.active;
const event = (engine: Engine, name: string) => engine.events.find((each) => each.event === name);

/** A file with rules, and handlers that pass on what they read. */
function rules(...lines: string[]): string {
  const module = join(rig.folder, 'pass.mjs');
  writeFileSync(module, 'export default (flow) => flow.client.pipe(flow.server).pipe(flow.client);\n');
  const file = join(rig.folder, 'rules.yaml');
  writeFileSync(file, `rules:\n${lines.map((line) => `  - ${line.replace('MODULE', module)}\n`).join('')}`);
  return file;
}

it.each([[[]], [['--keep']]])(
  'flows of handlers stay with the old engine until --drain is over (%s)',
  async (keep) => {
    const [handled, relayed] = [rig.port(), rig.port()];
    const file = rules(`{ ports: [${handled}], action: "handle=MODULE" }`, `{ ports: [${relayed}] }`);
    const run = (...args: string[]) => rig.startEngine(['-c', file, '--drain', '3', ...keep, ...args]);
    rig.engine = await run();
    const [staying, moving] = [await talkers(handled, 4), await talkers(relayed, 10)];
    await waitFor('they are taken', async () => (await active()) === 14);
    const old = rig.engine;
    rig.engine = await run('--replace');
    expect(event(rig.engine, 'tookOver')).toMatchObject({ adopted: 10, staying: 4 });
    await waitFor('it has left', () => event(old, 'replaced') !== undefined);
    expect(event(old, 'replaced')).toMatchObject({ flows: 10, staying: 4, pid: rig.engine.pid });
    expect(old.running).toBe(true);
    await untilTheyTalk(staying);
    await untilTheyTalk(moving);
    expect((await rig.engine.flows()).map(({ action }) => action)).toEqual(Array(10).fill('relay'));
    expect(await old.ended(10_000)).toBe(0);
    expect(event(old, 'drained')).toMatchObject({ reset: 4, ended: 0, released: 0 });
    await waitFor('they are reset', async () => (await staying.report<Held>()).ended.length === 4);
    expect((await staying.report<Held>()).ended.map(({ how }) => how)).toEqual(Array(4).fill('ECONNRESET'));
    // Handlers of the new one have what comes now.
    expect(await rig.attempt(rig.lab.addresses.server4, handled)).toMatchObject({ outcome: 'connected' });
    await untilTheyTalk(moving);
    expect((await moving.report<Held>()).ended).toEqual([]);
    expect((await rig.engine.release('all')).map(({ result }) => result)).toEqual(Array(10).fill('released'));
    await untilTheyTalk(moving);
    await moving.stop();
    await staying.stop();
  },
);

/** A new engine has come, and the old one waits for the four flows of its handlers. */
async function withStaying() {
  const handled = rig.port();
  const file = rules(`{ ports: [${handled}], action: "handle=MODULE" }`);
  rig.engine = await rig.startEngine(['-c', file, '--drain', '30']);
  const staying = await talkers(handled, 4);
  const old = rig.engine;
  rig.engine = await rig.startEngine(['-c', file, '--replace']);
  return { handled, staying, old };
}

it('handlers that end in time are all that the old engine waits for', async () => {
  const { staying, old } = await withStaying();
  await untilTheyTalk(staying);
  expect(old.running).toBe(true);
  await staying.stop();
  expect(await old.ended(10_000)).toBe(0);
  expect(event(old, 'drained')).toMatchObject({ reset: 0, ended: 4 });
  expect(await active()).toBe(0);
});

it('the old engine is killed while handlers still have flows there: the new one forgets them', async () => {
  const { handled, staying, old } = await withStaying();
  old.child.kill('SIGKILL');
  await old.ended(10_000);
  await waitFor('they have ended', async () => (await staying.report<Held>()).ended.length === 4);
  const { ended } = await staying.report<Held>();
  await staying.stop();
  // An entry that was left would swallow the SYN of a port that is used again.
  for (const { port } of ended) {
    const again = await rig.attempt(rig.lab.addresses.server4, handled, 3000, port);
    expect(again).toMatchObject({ outcome: 'connected' });
  }
});

const hello = readFileSync(join(root, 'src/peek/fixtures/chromium.bin'));

it('a flow whose first bytes are being looked at is relayed', async () => {
  const port = rig.port();
  const file = rules(`{ ports: [${port}], action: peek, otherwise: relay }`);
  rig.engine = await rig.startEngine(['-c', file]);
  await rig.serve({ port, mode: 'echo' });
  const size = Math.ceil(hello.length / 8);
  const pieces = Array.from({ length: 8 }, (_, i) =>
    hello.subarray(i * size, (i + 1) * size).toString('hex'),
  );
  const { server4: host } = rig.lab.addresses;
  const said = rig.client<{ got: string; ended: string }>(
    { host, port, pieces, gapMs: 400, expect: hello.length },
    'say.mjs',
  );
  await waitFor('it is looked at', async () => (await rig.engine.flows())[0]?.state === 'peek');
  const old = rig.engine;
  rig.engine = await rig.startEngine(['-c', file, '--replace']);
  expect(await old.ended(10_000)).toBe(0);
  expect(event(rig.engine, 'tookOver')).toMatchObject({ adopted: 1 });
  expect(await said).toMatchObject({ got: hello.toString('hex') });
});

it('a handshake that the old engine saw is decided on by its rule', async () => {
  const port = rig.port();
  rig.engine = await start();
  await rig.serve({ port, mode: 'exchange', send: 1000, when: 'data' });
  const { server4: host } = rig.lab.addresses;
  const client = rig.client({ host, port, flows: 5, send: 500, expect: 1000, delayMs: 2500 });
  await waitFor('they shook hands', async () => (await rig.engine.stats()).handshakes.completed === 5);
  const old = rig.engine;
  rig.engine = await start('--replace');
  expect(await old.ended(10_000)).toBe(0);
  expect(await client).toMatchObject({ ok: 5 });
  await waitFor('they are closed', async () => (await active()) === 0);
  expect((await rig.engine.stats()).flows).toMatchObject({ intercepted: 5, closed: 5 });
});

it('SIGUSR2 starts the same program with the same arguments in place of a running one, again and again', async () => {
  rig.engine = await start('--drain', '1');
  const port = rig.port();
  const hold = await talkers(port, 10);
  const control = rig.engine.control;
  const health = () => callControl<{ pid: number }>(control, 'GET', '/v1/health');
  let failures = 0;
  let asking = true;
  const asker = (async () => {
    while (asking) await health().catch(() => failures++);
  })();
  let { pid } = await health();
  const first = rig.engine;
  const exit = new Promise((resolve) => first.child.once('exit', resolve));
  for (let round = 0; round < 3; round++) {
    process.kill(pid, 'SIGUSR2');
    const before = pid;
    await waitFor('there is a new one', async () => {
      ({ pid } = await health());
      return pid !== before;
    });
    await untilTheyTalk(hold);
    if (round === 0) expect(await exit).toBe(0);
  }
  asking = false;
  await asker;
  expect(failures, 'times that nobody answered at the control socket').toBe(0);
  expect((await hold.report<Held>()).ended).toEqual([]);
  expect(await active()).toBe(10);
  await hold.stop();
  process.kill(pid, 'SIGTERM');
  // Its output is that of the first.
  expect(await first.ended(10_000)).toBe(0);
});

it('a program on disk that does not start leaves all as it is', async () => {
  const file = rules(`{ ports: [${rig.port()}] }`);
  rig.engine = await rig.startEngine(['-c', file]);
  writeFileSync(file, 'rules: [{ ports: [nonsense] }]\n');
  rig.engine.child.kill('SIGUSR2');
  await waitFor('it says so', () =>
    rig.engine.events.some(({ message }) => /the new engine has ended; this one goes on/.test(message)),
  );
  expect(await active()).toBe(0);
});

it('with nothing running it starts as usual, and says so', async () => {
  rig.engine = await start('--replace');
  expect(event(rig.engine, 'nothingToReplace')?.message).toContain('starts as usual');
  const hold = await talkers(rig.port(), 3);
  expect(await active()).toBe(3);
  await hold.stop();
});

/** More than the buffers on the way hold: since Linux 6.17 a receive buffer alone may grow to 32 MB (tcp_rmem). */
const BULK = 50_000_000;

it('flows that are being released when a new engine comes go on, taken', async () => {
  rig.engine = await start();
  const port = rig.port();
  const { server4: host } = rig.lab.addresses;
  const server = await rig.serve({
    port,
    mode: 'exchange',
    send: 3_000_000,
    when: 'connect',
    untilTold: true,
  });
  const done = rig.client({ host, port, flows: 10, send: BULK, expect: 3_000_000, fin: 'received' });
  await waitFor('they are taken', async () => (await active()) === 10);
  // Their server does not read. Once all buffers are full there is always something left here, and no release comes to its end.
  let before: number[] = [];
  await waitFor('they stand still', async () => {
    const last = before;
    await sleep(500);
    before = (await rig.engine.flows()).map(({ bytes }) => bytes.toServer);
    return before.every((sent, i) => sent > 0 && sent === last[i]);
  });
  const outcomes = rig.engine.release('all', 20);
  await waitFor('they are being released', async () => {
    const states = (await rig.engine.flows()).map(({ state }) => state);
    return states.length === 10 && states.every((state) => state === 'releasing');
  });
  const old = rig.engine;
  rig.engine = await start('--replace');
  const reason = 'a new engine is taking over';
  expect((await outcomes).map((each) => ('reason' in each ? each.reason : each.result))).toEqual(
    Array(10).fill(reason),
  );
  expect(await old.ended(10_000)).toBe(0);
  server.child.kill('SIGHUP');
  expect(await done).toMatchObject({ ok: 10, failed: {} });
});

it('an interception of the library is replaced like any other engine, and resolves `closed`', async () => {
  const port = rig.port();
  const program = await rig.start('middle', 'intercept.mjs', { port, mode: 'later' });
  const exit = new Promise((resolve) => program.child.once('exit', resolve));
  const hold = await talkers(port, 5);
  rig.engine = await start('--replace');
  expect(event(rig.engine, 'tookOver')).toMatchObject({ adopted: 5 });
  expect(await exit).toBe(0);
  await untilTheyTalk(hold);
  expect(await active()).toBe(5);
  await hold.stop();
});

it('the control socket of an engine in another network namespace is left to it', async () => {
  rig.engine = await start();
  const elsewhere = [process.execPath, bin, 'run', '-i', 'eth0', '-p', '80', '--replace'];
  const argv = [...elsewhere, '--control', rig.engine.control];
  const { code, stderr } = rig.lab.exec('client', argv, { allowFailure: true, timeoutMs: 10_000 });
  expect(stderr).toContain('an engine of another network namespace');
  expect(code).toBe(1);
  expect(await active()).toBe(0);
});
