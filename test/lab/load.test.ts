/** Many flows at once, and receivers that don't keep up. */
import { describe, expect, it } from 'vitest';
import { counts, useRig } from './harness.js';

const rig = useRig('load', { serverAliases: 4 });
const MB = 1 << 20;

it('1,000 flows at once move 1 MB each way, every byte in its place', async () => {
  const port = rig.port();
  await rig.serve({ port, mode: 'exchange', send: MB, when: 'connect' });
  await rig.client({ host: rig.lab.addresses.server4, port, send: 100, expect: MB, fin: 'received' });
  let most = 0;
  const meter = setInterval(() => {
    most = Math.max(most, rig.engine.residentMegabytes);
  }, 200);
  const before = rig.engine.residentMegabytes;
  const gained = await rig
    .counted(async () => {
      const client = {
        host: [rig.lab.addresses.server4, rig.lab.addresses.server6, ...rig.lab.addresses.serverAliases],
        port,
        flows: 1000,
        send: MB,
        expect: MB,
        fin: 'received',
      };
      expect(await rig.client(client, 'client.mjs', 90_000)).toMatchObject({ ok: 1000, failed: {} });
    })
    .finally(() => clearInterval(meter));
  expect(counts(gained)).toEqual({ intercepted: 1000 });
  expect(gained.flows).toMatchObject({ closed: 1000, reset: 0 });
  expect(gained.bytes).toEqual({ toServer: 1000 * MB, toClient: 1000 * (MB + 80) });
  // What is in transit lies in the kernel: the engine's own memory must not grow with the load.
  expect(most - before).toBeLessThan(100);
});

describe('a receiver that reads nothing for 5 seconds stalls its sender', () => {
  const size = 100 * MB;
  const stalled = (samples: number[]): void => {
    // Twice a second: after 3 and after 4.5 seconds the same, and far from all.
    const [early, late] = [samples[5], samples[8]];
    expect(early).toBeGreaterThan(0);
    expect(late).toBe(early);
    expect(late).toBeLessThan(40 * MB);
  };

  it('the server', async () => {
    const port = rig.port();
    await rig.serve({ port, mode: 'exchange', pauseMs: 5000 });
    const gained = await rig.counted(async () => {
      const client = { host: rig.lab.addresses.server4, port, send: size, sample: true };
      const result = await rig.client(client);
      expect(result).toMatchObject({ ok: 1, failed: {} });
      stalled(result.accepted?.[0] as number[]);
    });
    expect(counts(gained)).toEqual({ intercepted: 1 });
  });

  it('the client', async () => {
    const port = rig.port();
    const server = await rig.serve({ port, mode: 'exchange', send: size, when: 'data', sample: true });
    const gained = await rig.counted(async () => {
      const client = { host: rig.lab.addresses.server4, port, send: 10, expect: size, pauseMs: 5000 };
      expect(await rig.client(client)).toMatchObject({ ok: 1, failed: {} });
    });
    expect(counts(gained)).toEqual({ intercepted: 1 });
    const { seen } = await server.report<{ seen: { accepted: number[][] } }>();
    stalled(seen.accepted[0] as number[]);
  });
});
