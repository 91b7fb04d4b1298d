/** The library in a program of its own: every decision, both ways to handle a flow, and the way back to the relay. */
import { describe, expect, it } from 'vitest';
import type { Stats } from '../../src/flow/stats.js';
import { type FlowsResult, useRig } from './harness.js';
import type { Program } from './program.js';

const rig = useRig('library', { run: null });
const MB = 1 << 20;
/** The server's last words, behind what it was asked to send (test/programs/pattern.mjs). */
const trailerBytes = 80;

interface Report extends Stats {
  seen: { from: string; bytes: string; mss: number; server: string }[];
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
  });

  it('gives a flow to the relay, behind what it has passed on itself', async () => {
    const { result, report } = await oneFlow('giveBack');
    expect(result).toMatchObject({ ok: 1 });
    expect(report.flows).toMatchObject({ intercepted: 1, closed: 1, active: 0 });
    expect(report.bytes.toClient).toBe(MB + trailerBytes);
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
