/** Releases by the library: of flows in a handler's hands, and of those that it has changed. */
import { expect, it } from 'vitest';
import type { Release, ReleaseOutcome, Stats } from '../../src/flow/stats.js';
import { type FlowsResult, useRig, waitFor } from './harness.js';
import type { Program } from './program.js';
import { connectionsOf } from './state.js';

const rig = useRig('release-handler', { run: null });
const MB = 1 << 20;

interface Report extends Stats {
  outcomes: (Release | ReleaseOutcome)[];
}

/**
 * 300 kB to the server and 1 MB back, past a program of the given mode. The client's FIN comes when the program has had
 * `outcomes` answers, since a flow that is closing is not released.
 */
async function oneFlow(mode: string, outcomes: number): Promise<{ result: FlowsResult; report: Report }> {
  const port = rig.port();
  const program = await rig.start('middle', 'intercept.mjs', { port, mode });
  try {
    await rig.serve({ port, mode: 'exchange', send: MB, when: 'fin' });
    const options = { host: rig.lab.addresses.server4, port, send: 300_000, expect: MB, fin: 'told' };
    const client = rig.launch('client', 'client.mjs', options);
    await waitFor(
      'it is answered',
      async () => (await program.report<Report>()).outcomes.length === outcomes,
    );
    client.child.kill('SIGHUP');
    const result = await client.line<FlowsResult>();
    await waitFor('no active flow', async () => (await program.report<Report>()).flows.active === 0);
    expect(connectionsOf(rig.lab)).toBe('');
    return { result, report: await program.report<Report>() };
  } finally {
    await program.stop();
  }
}

/** A client that says `hello` to an echo server past a program of the given mode, and again at each `hello()`. */
async function helloThrough(
  mode: string,
  action: (talk: {
    program: Program;
    hello: () => Promise<string>;
    report: () => Promise<Report>;
  }) => Promise<void>,
): Promise<void> {
  const port = rig.port();
  const program = await rig.start('middle', 'intercept.mjs', { port, mode });
  try {
    await rig.serve({ port, mode: 'echo' });
    const client = await rig.start('client', 'late.mjs', { host: rig.lab.addresses.server4, ports: [port] });
    const hello = async (): Promise<string> => {
      const from = client.lines.all.length;
      client.child.kill('SIGHUP');
      const { answers } = await client.line<{ answers: Record<number, string> }>(() => true, from);
      return answers[port] as string;
    };
    await action({ program, hello, report: () => program.report<Report>() });
    await client.stop();
  } finally {
    await program.stop();
  }
}

it('a handler that has passed on what it read is released, and the ends go on', async () => {
  const { result, report } = await oneFlow('release', 1);
  expect(report.outcomes).toEqual([{ result: 'released' }]);
  expect(result).toMatchObject({ ok: 1, failed: {} });
  expect(report.flows).toMatchObject({ intercepted: 1, released: 1, closed: 0, reset: 0 });
});

const keptByte = {
  result: 'refused',
  reason: '1 bytes were read from the client but not written to the server',
};

it('one that keeps a byte back is refused, and released once it has passed it on', async () => {
  const { result, report } = await oneFlow('releaseTwice', 2);
  expect(report.outcomes).toEqual([keptByte, { result: 'released' }]);
  expect(result).toMatchObject({ ok: 1, failed: {} });
  expect(report.flows).toMatchObject({ intercepted: 1, released: 1, reset: 0 });
});

it('a refused flow is still in the hands of its handler', async () => {
  const { result, report } = await oneFlow('releaseInVain', 1);
  expect(report.outcomes).toEqual([keptByte]);
  expect(result).toMatchObject({ ok: 1, failed: {} });
  expect(report.flows).toMatchObject({ intercepted: 1, released: 0, closed: 1, reset: 0 });
});

it('one that has said more than the end is refused, and goes on', async () => {
  await helloThrough('releaseMore', async ({ hello, report }) => {
    expect(await hello()).toBe('>hello');
    const reason = '1 bytes were written that no end has sent';
    await waitFor('it is answered', async () => (await report()).outcomes.length > 0);
    expect((await report()).outcomes).toEqual([{ result: 'refused', reason }]);
    expect(await hello()).toBe('hello');
  });
});

it.each([
  ['a handler holds', 'pipe', 'hello', 'it is in the hands of a handler'],
  [
    'a handler has given to the relay with a byte more',
    'relayMore',
    '>hello',
    'not in time: the sockets do not mirror',
  ],
])('a flow that %s is not released by name', async (_what, mode, answer, reason) => {
  await helloThrough(mode, async ({ program, hello, report }) => {
    expect(await hello()).toBe(answer);
    program.child.kill('SIGHUP');
    await waitFor('it is answered', async () => (await report()).outcomes.length > 0);
    expect((await report()).outcomes).toEqual([
      { id: expect.any(String), result: 'refused', reason: expect.stringContaining(reason) },
    ]);
    expect(await hello()).toBe('hello');
  });
});
