/** A hand-over that fails, at each of its steps: the old engine goes on, or the new one has it all, and no flow is broken. */
import { describe, expect, it } from 'vitest';
import type { Step } from '../../src/engine/replace/fault.js';
import type { Engine } from './engine.js';
import { sleep, useRig, waitFor, watched } from './harness.js';
import { useNoTrace, useReno } from './hooks.js';
import type { Program } from './program.js';
import { type Held, startTalkers, untilTheyTalk } from './talkers.js';

const rig = useRig('replace-faults', { run: null });
const FLOWS = 20;
/** Longer than the old engine has patience. */
const LONG_MS = 3000;

useReno(rig);
useNoTrace(rig);

const start = (...args: string[]): Promise<Engine> => rig.startEngine(['-p', watched, ...args]);

/** An engine with a fault at one of its steps. */
function launch(step: Step, how: string, ...args: string[]): Engine {
  process.env.DESPLICE_TEST_FAULT = `${step}:${how}`;
  try {
    return rig.launchEngine(['-p', watched, ...args]);
  } finally {
    delete process.env.DESPLICE_TEST_FAULT;
  }
}

const talkers = (): Promise<Program> => startTalkers(rig, rig.port(), FLOWS, 100);

const active = async (): Promise<number> => (await rig.engine.stats()).flows.active;

/** They talk, none has ended, and all are still taken; and so are new ones. */
async function allGoOn(hold: Program): Promise<void> {
  await untilTheyTalk(hold, 3 * FLOWS);
  expect(await hold.report<Held>()).toMatchObject({ ended: [] });
  const before = (await rig.engine.stats()).flows.intercepted;
  expect(await active()).toBe(FLOWS);
  const port = rig.port();
  await rig.serve({ port, mode: 'exchange', send: 3000, when: 'data' });
  const host = rig.lab.addresses.server4;
  expect(await rig.client({ host, port, flows: 5, send: 500, expect: 3000 })).toMatchObject({ ok: 5 });
  expect((await rig.engine.stats()).flows.intercepted).toBe(before + 5);
  await waitFor('they are closed', async () => (await active()) === FLOWS);
}

/** Another one, in which all goes well. */
async function replaceWell(...args: string[]): Promise<void> {
  const old = rig.engine;
  rig.engine = await start('--replace', ...args);
  expect(await old.ended(20_000)).toBe(0);
}

describe.each([
  ['without --keep', []],
  ['with --keep', ['--keep']],
] as const)('%s', (_what, keep) => {
  it.each<[Step, string]>([
    ['asked', 'fail'],
    ['prepared', 'fail'],
    ['prepared', 'kill'],
    ['frozen', 'fail'],
    ['frozen', 'kill'],
    ['adopting', 'fail'],
    ['adopting', 'kill'],
    ['adopted', 'fail'],
    ['adopted', 'kill'],
    ['adopted', `hang:${LONG_MS}`],
    ['attached', 'fail'],
    ['attached', 'kill'],
    ['attached', `hang:${LONG_MS}`],
  ])(
    'the new engine fails at the step "%s" (%s): the old one goes on, and can be replaced',
    async (step, how) => {
      rig.engine = await start(...keep);
      const hold = await talkers();
      const failing = launch(step, how, '--replace', ...keep);
      expect(await failing.ended(20_000)).toBe(how === 'kill' ? -1 : 1);
      if (how !== 'kill') expect(failing.stderr).toMatch(/fault on purpose|goes on/);
      expect(rig.engine.running).toBe(true);
      await allGoOn(hold);
      await replaceWell(...keep);
      await allGoOn(hold);
      await hold.stop();
    },
  );

  it.each<[Step]>([['oldFreezing'], ['oldFrozen']])(
    'the old engine fails at the step "%s": it says so and goes on',
    async (step) => {
      rig.engine = launch(step, 'fail', ...keep);
      await rig.engine.ready();
      const hold = await talkers();
      await expect(start('--replace', ...keep)).rejects.toThrow(
        /can't be replaced, and goes on: .*on purpose/,
      );
      await allGoOn(hold);
      await hold.stop();
    },
  );

  it('the old engine is killed when the new one has all: that goes on', async () => {
    rig.engine = await start(...keep);
    const hold = await talkers();
    const next = launch('adopted', 'hang:1000', '--replace', ...keep);
    await waitFor('it has all', () => next.stderr.includes('fault: adopted'));
    rig.engine.child.kill('SIGKILL');
    await rig.engine.ended(20_000);
    rig.engine = next;
    await next.ready();
    await allGoOn(hold);
    await hold.stop();
  });

  it('the old engine is killed when it is to go: the new one goes on', async () => {
    rig.engine = launch('oldReplaced', 'kill', ...keep);
    await rig.engine.ready();
    const hold = await talkers();
    const old = rig.engine;
    rig.engine = await start('--replace', ...keep);
    expect(await old.ended(20_000)).toBe(-1);
    await allGoOn(hold);
    await hold.stop();
  });

  it('the old engine is asked to stop while the new one takes over: it releases its flows and ends', async () => {
    rig.engine = await start(...keep);
    const hold = await talkers();
    const next = launch('adopted', 'hang:1000', '--replace', ...keep);
    await waitFor('it has all', () => next.stderr.includes('fault: adopted'));
    expect(await rig.engine.stop()).toBe(0);
    await next.ended(20_000);
    expect(await hold.report<Held>()).toMatchObject({ ended: [] });
    await hold.stop();
  });
});

it.each<[Step]>([['oldFreezing'], ['oldFrozen']])(
  'the old engine is killed at the step "%s": with --keep the new one goes on with its flows',
  async (step) => {
    const old = launch(step, 'kill', '--keep');
    rig.engine = old;
    await old.ready();
    const hold = await talkers();
    rig.engine = await start('--replace', '--keep');
    expect(await old.ended(20_000)).toBe(-1);
    expect(rig.engine.events.map(({ event }) => event)).toContain('replaceLost');
    await allGoOn(hold);
    await hold.stop();
  },
);

it('the old engine is killed before the new one has its flows: without --keep they end, and the new one starts', async () => {
  const old = launch('oldFrozen', 'kill');
  rig.engine = old;
  await old.ready();
  const hold = await talkers();
  rig.engine = await start('--replace');
  expect(await old.ended(20_000)).toBe(-1);
  await waitFor('they have ended', async () => (await hold.report<Held>()).ended.length === FLOWS);
  await hold.stop();
  const again = await talkers();
  expect(await active()).toBe(FLOWS);
  await again.stop();
});

it('the new engine is killed when the flows are its own: with --keep the next one goes on with them', async () => {
  rig.engine = await start('--keep');
  const hold = await talkers();
  const next = launch('taken', 'kill', '--replace', '--keep');
  expect(await next.ended(20_000)).toBe(-1);
  expect(await rig.engine.ended(20_000), 'the old one').toBe(0);
  await sleep(300);
  rig.engine = await start('--keep');
  await allGoOn(hold);
  await hold.stop();
});

it('an engine of another layout is refused, and the old one goes on', async () => {
  rig.engine = await start();
  const hold = await talkers();
  const other = launch('layout', '-', '--replace');
  expect(await other.ended(20_000)).toBe(1);
  expect(other.stderr).toMatch(/can't be replaced, and goes on: it is of version .* whose layout/);
  expect(other.stderr).toMatch(/hint: stop it/);
  await allGoOn(hold);
  await hold.stop();
});

it('one that watches fewer interfaces is refused', async () => {
  rig.engine = await start();
  const other = rig.startEngine(['-p', watched, '--replace'], ['toclient']);
  await expect(other).rejects.toThrow(/also watches toserver/);
});

it('who is not root is not heard', async () => {
  rig.engine = await start();
  const script = `const s = require('net').connect('\\0desplice', () => s.write('{"type":"hello"}\\n'));
    s.on('data', (d) => console.log('heard', String(d))).on('close', () => console.log('closed')).on('error', () => {})`;
  const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
  const { stdout } = rig.lab.exec('middle', [...nobody, process.execPath, '-e', script], {
    timeoutMs: 10_000,
  });
  expect(stdout).toBe('closed\n');
});
