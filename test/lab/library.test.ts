/** The library in a program of its own: every decision, both ways to handle a flow, and the way back to the relay. */
import { describe, expect, it } from 'vitest';
import { HELD_PACKETS } from '../../src/engine/pending.js';
import type { FlowInfo, Stats } from '../../src/flow/stats.js';
import { intercept, isUsageError } from '../../src/index.js';
import type { Role } from '../../src/lab/index.js';
import { counts, type FlowsResult, useRig, waitFor } from './harness.js';
import type { Program } from './program.js';

const rig = useRig('library', { run: null });
const MB = 1 << 20;
/** The server's last words, behind what it was asked to send (test/programs/pattern.mjs). */
const trailerBytes = 80;

interface Report extends Stats {
  seen: { from: string; bytes: string; mss: number; server: string }[];
  logged: string[];
  list: FlowInfo[];
}

/** Runs one flow, 300 kB to the server and 1 MB back, past a program of the given mode. */
async function oneFlow(mode: string): Promise<{ result: FlowsResult; report: Report; server: string }> {
  const port = rig.port();
  const program: Program = await rig.start('middle', 'intercept.mjs', { port, mode });
  try {
    await rig.serve({ port, mode: 'exchange', send: MB, when: 'fin' });
    const host = rig.lab.addresses.server4;
    const result = await rig.client({ host, port, send: 300_000, expect: MB });
    return { result, report: await program.report<Report>(), server: `${host}:${port}` };
  } finally {
    await program.stop();
  }
}

describe('a decision', () => {
  for (const mode of ['forward', 'module']) {
    it(`to forward makes no socket (${mode})`, async () => {
      const { result, report } = await oneFlow(mode);
      expect(result).toMatchObject({ ok: 1 });
      expect(report.flows.intercepted).toBe(0);
      expect(report.forwarded.decided).toBe(1);
    });
  }

  it('that comes when the tracker has given up on the worker finds the flow forwarded', async () => {
    const { result, report } = await oneFlow('slow');
    expect(result).toMatchObject({ ok: 1 });
    expect(report.flows.intercepted).toBe(0);
    expect(counts(report)).toEqual({ engineStale: 1 });
  });

  it('may take its time while the data is held', async () => {
    const { result, report } = await oneFlow('later');
    expect(result).toMatchObject({ ok: 1 });
    expect(report.flows).toMatchObject({ intercepted: 1, closed: 1, active: 0 });
  });

  it('sees the handshake and the first bytes', async () => {
    const { result, report, server } = await oneFlow('peek');
    expect(result).toMatchObject({ ok: 1 });
    expect(report.seen).toHaveLength(1);
    expect(report.seen[0]).toMatchObject({ from: 'client', mss: 1460, server });
    expect(report.seen[0]?.bytes).toHaveLength(8);
  });

  it('to reset is seen as a reset by the client', async () => {
    const { result, report } = await oneFlow('reset');
    expect(result.failed).toEqual({ ECONNRESET: 1 });
    expect(report.flows).toMatchObject({ intercepted: 1, reset: 1, active: 0 });
  });

  for (const mode of ['throws', 'nonsense']) {
    it(`that makes no sense leaves the flow to forwarding (${mode})`, async () => {
      const { result, report } = await oneFlow(mode);
      expect(result).toMatchObject({ ok: 1 });
      expect(report.flows.intercepted).toBe(0);
    });
  }
});

describe('a handler', () => {
  it('gets two sockets with half-close and back-pressure', async () => {
    const { result, report } = await oneFlow('pipe');
    expect(result).toMatchObject({ ok: 1 });
    expect(report.flows).toMatchObject({ intercepted: 1, closed: 1, active: 0 });
    expect(report.bytes).toEqual({ toServer: 300_000, toClient: MB + trailerBytes });
  });

  it('has its bytes counted while it runs', async () => {
    await withHold({ mode: 'pipe', serve: { mode: 'echo' } }, async ({ program, port, host }) => {
      const client = await rig.start('client', 'late.mjs', { host, ports: [port] });
      client.child.kill('SIGHUP');
      await client.line((line) => line.startsWith('{"answers"'));
      const { list, bytes } = await program.report<Report>();
      expect(list).toMatchObject([{ action: 'handle', bytes: { toServer: 5, toClient: 5 } }]);
      expect(bytes).toEqual({ toServer: 5, toClient: 5 });
      await client.stop();
    });
  });

  it('gives a flow to the relay, behind what it has passed on itself', async () => {
    const { result, report } = await oneFlow('giveBack');
    expect(result).toMatchObject({ ok: 1 });
    expect(report.flows).toMatchObject({ intercepted: 1, closed: 1, active: 0 });
    expect(report.bytes).toEqual({ toServer: 300_000, toClient: MB + trailerBytes });
  });

  it('gives a flow to the relay with bytes that node had read ahead', async () => {
    const { result, report } = await oneFlow('readAhead');
    expect(result).toMatchObject({ ok: 1 });
    expect(report.bytes).toEqual({ toServer: 300_000, toClient: MB + trailerBytes });
  });

  for (const mode of ['reset', 'resetClient']) {
    it(`ends a flow with a reset (${mode})`, async () => {
      const { result, report } = await oneFlow(mode);
      expect(result.failed).toEqual({ ECONNRESET: 1 });
      expect(report.flows).toMatchObject({ intercepted: 1, reset: 1, active: 0 });
    });
  }
});

interface Held {
  program: Program;
  server: Program;
  port: number;
  host: string;
}

/** A program whose decisions wait for SIGHUP, or never come, and a server. */
async function withHold(
  { mode, decideTimeoutMs, serve }: { mode: string; decideTimeoutMs?: number; serve: object },
  action: (held: Held) => Promise<void>,
): Promise<void> {
  const port = rig.port();
  const program = await rig.start('middle', 'intercept.mjs', { port, mode, decideTimeoutMs });
  try {
    const server = await rig.serve({ port, ...serve });
    await action({ program, server, port, host: rig.lab.addresses.server4 });
    await waitFor('no active flow', async () => (await program.report<Report>()).flows.active === 0);
  } finally {
    await program.stop();
  }
}

/** Bytes that the sockets of a port have sent and that nobody has acknowledged. */
function unacknowledged(role: Role, port: number): number {
  const filter = `( sport = :${port} or dport = :${port} )`;
  const lines = rig.lab.exec(role, ['ss', '-Htn', 'state', 'established', filter]).stdout.trim().split('\n');
  return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[1] ?? 0), 0);
}

describe('while the decision is out', () => {
  it('first segments that cross each other both wait, and both arrive', async () => {
    const serve = { mode: 'exchange', send: 300, when: 'connect' };
    await withHold({ mode: 'gate', serve }, async ({ program, port, host }) => {
      const client = rig.client({ host, port, send: 200, expect: 300, fin: 'received' });
      await waitFor('both have spoken', () =>
        (['client', 'server'] as const).every((role) => unacknowledged(role, port) > 0),
      );
      expect((await program.report<Report>()).flows.intercepted).toBe(0);
      program.child.kill('SIGHUP');
      expect(await client).toMatchObject({ ok: 1, failed: {} });
      const { flows, bytes } = await program.report<Report>();
      expect(flows).toMatchObject({ intercepted: 1, reset: 0 });
      expect(bytes).toEqual({ toServer: 200, toClient: 300 + trailerBytes });
    });
  });

  it('a client that resets is forwarded, data and reset', async () => {
    await withHold({ mode: 'gate', serve: { mode: 'sink' } }, async ({ program, server, port, host }) => {
      const client = rig.client({ host, port, send: 100, reset: true, resetMs: 300 });
      await waitFor('decide is asked', async () => (await program.report<Report>()).seen.length === 1);
      expect(await client).toMatchObject({ ok: 1 });
      await waitFor('it is counted', async () => {
        return (await program.report<Report>()).forwarded.endedInHold === 1;
      });
      // libuv takes a reset right behind data for an end.
      await waitFor('the server knows', async () => {
        const { seen } = await server.report<{ seen: { ended: number; errors: Record<string, number> } }>();
        return seen.ended + (seen.errors.ECONNRESET ?? 0) === 1;
      });
      program.child.kill('SIGHUP');
      // The gate is open now. The late decision concerned nobody; the next connection is relayed.
      const next = rig.client({ host, port, send: 100, reset: true, resetMs: 100 });
      await waitFor('the next one is taken', async () => {
        return (await program.report<Report>()).flows.intercepted === 1;
      });
      await next;
    });
  });

  it('only so much is held, and what was dropped is sent again', async () => {
    await withHold({ mode: 'gate', serve: { mode: 'echo' } }, async ({ program, port }) => {
      const segments = 100;
      const order = ['ack', ...Array(segments).keys()];
      const client = await rig.rawClient({ port, segments, order });
      await waitFor('decide is asked', async () => (await program.report<Report>()).seen.length === 1);
      program.child.kill('SIGHUP');
      const result = await client.line<{ ok: unknown; resent: number }>((line) => line.startsWith('{"ok"'));
      expect(result.ok).toBe(true);
      // Which of the hundred came twice depends on when the gate opened; that some were needed does not.
      expect(result.resent).toBeGreaterThanOrEqual(segments - HELD_PACKETS);
      expect((await program.report<Report>()).flows.intercepted).toBe(1);
    });
  });
});

describe('a decision that does not come', () => {
  it('leaves the flow to forwarding when its time is over', async () => {
    const serve = { mode: 'exchange', send: 300, when: 'connect' };
    await withHold({ mode: 'never', decideTimeoutMs: 300, serve }, async ({ program, port, host }) => {
      const client = { host, port, send: 200, expect: 300, fin: 'received', flows: 5 };
      expect(await rig.client(client)).toMatchObject({ ok: 5, failed: {} });
      const report = await program.report<Report>();
      expect(report.flows.intercepted).toBe(0);
      expect(report.forwarded.failed).toBe(5);
      expect(report.logged).toEqual(Array(5).fill('decideTimeout'));
    });
  });

  it('and a time that is none is refused', async () => {
    const interception = intercept({ interfaces: ['lo'], rules: [], decideTimeoutMs: Number.NaN });
    const error = await interception.ready.catch((e) => e);
    expect(isUsageError(error)).toBe(true);
    expect(String(error)).toContain('decideTimeoutMs NaN');
  });
});
