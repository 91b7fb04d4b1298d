/** Where the kernel makes no sockets from request socks, as before Linux 6.9, TCP_REPAIR makes them. */
import { beforeAll, describe, expect, it } from 'vitest';
import { setKernelKnobs } from '../../src/lab/index.js';
import { counts, useRig } from './harness.js';

const rig = useRig('repair');
const MB = 1 << 20;

// cookie_v4_check() makes nothing without this; the tracker and the engine stay as they are.
beforeAll(() => setKernelKnobs(rig.lab, 'middle', { 'ipv4/tcp_syncookies': '0' }));

describe.each(['server4', 'server6'] as const)('to %s', (address) => {
  it.each([
    ['small, client first', { when: 'data', send: 3000 }, { send: 300, expect: 3000 }],
    ['small, server first', { when: 'connect', send: 300 }, { send: 300, expect: 300, start: 'data' }],
    ['1 MB both ways at once', { when: 'connect', send: MB }, { send: MB, expect: MB, fin: 'received' }],
  ])('%s', async (_, server, client) => {
    const port = rig.port();
    const flows = 12;
    await rig.serve({ port, mode: 'exchange', ...server });
    const gained = await rig.counted(async () => {
      const host = rig.lab.addresses[address];
      expect(await rig.client({ host, port, flows, ...client })).toMatchObject({ ok: flows, failed: {} });
    });
    expect(counts(gained)).toEqual({ intercepted: flows });
    expect(gained.flows).toMatchObject({ closed: flows, reset: 0 });
  });

  it('ECN would be lost: the flow is forwarded, and counted', async () => {
    for (const role of ['client', 'server'] as const) setKernelKnobs(rig.lab, role, { 'ipv4/tcp_ecn': '1' });
    try {
      const port = rig.port();
      await rig.serve({ port, mode: 'exchange', when: 'data', send: 3000 });
      const gained = await rig.counted(async () => {
        const client = { host: rig.lab.addresses[address], port, send: 300, expect: 3000 };
        expect(await rig.client(client)).toMatchObject({ ok: 1, failed: {} });
      });
      expect(counts(gained)).toEqual({ ecn: 1 });
    } finally {
      for (const role of ['client', 'server'] as const)
        setKernelKnobs(rig.lab, role, { 'ipv4/tcp_ecn': '2' });
    }
  });
});
