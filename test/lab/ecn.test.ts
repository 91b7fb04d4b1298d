/** Explicit congestion notification, which TCP_REPAIR forgets: both legs use it when both ends agreed on it. */
import { beforeAll, describe, expect, it } from 'vitest';
import { setKernelKnobs } from '../../src/lab/index.js';
import { counts, useRig, waitFor } from './harness.js';

const rig = useRig('ecn');

beforeAll(() => {
  for (const role of ['client', 'server'] as const) setKernelKnobs(rig.lab, role, { 'ipv4/tcp_ecn': '1' });
});

describe.each(['server4', 'server6'] as const)('to %s', (address) => {
  it('each end sees ECN-capable data, and the sockets in the middle are ECN-capable', async () => {
    const port = rig.port();
    const host = rig.lab.addresses[address];
    await rig.serve({ port, mode: 'exchange', send: 100_000, when: 'connect' });
    const details = (role: 'client' | 'middle' | 'server') =>
      rig.lab.exec(role, ['ss', '-Htino', 'state', 'established', `( sport = :${port} or dport = :${port} )`])
        .stdout;
    const gained = await rig.counted(async () => {
      // Pauses with everything exchanged but the last words.
      const talk = rig.client({ host, port, send: 100_000, expect: 100_000, start: 'data', delayMs: 1500 });
      await waitFor('data at both ends', () => /bytes_received:1\d{5}/.test(details('client')));
      expect(details('client')).toMatch(/ ecn ecnseen /);
      expect(details('middle').match(/ ecn /g)).toHaveLength(2);
      expect(await talk).toMatchObject({ ok: 1, failed: {} });
    });
    expect(counts(gained)).toEqual({ intercepted: 1 });
  });
});

describe('the listeners of the engine', () => {
  it.each(['127.0.0.1', '[::1]'])('on %s let nobody connect', (address) => {
    const listening = rig.lab.exec('middle', ['ss', '-Htln']).stdout;
    const port = new RegExp(`${address.replace(/[[\].]/g, '\\$&')}:(\\d+)`).exec(listening)?.[1];
    expect(port, listening).toBeDefined();
    const url = `http://${address}:${port}/`;
    const curl = rig.lab.exec('middle', ['curl', '-sS', '-m', '2', url], { allowFailure: true });
    expect(curl.code).toBe(28);
  });
});
