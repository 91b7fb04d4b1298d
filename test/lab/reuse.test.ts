/** Ports that come back at once, and nothing that grows with the number of connections that were. */
import { beforeAll, describe, expect, it } from 'vitest';
import { setKernelKnobs } from '../../src/lab/index.js';
import { counts, sleep, useRig } from './harness.js';
import { connectionsOf } from './state.js';

const rig = useRig('reuse', { serverAliases: 16 });
const flows = process.env.DESPLICE_TEST_LONG ? 100_000 : 25_000;

beforeAll(() => {
  // 64 ports: with 16 addresses of the server, each pair is used some 25 times.
  setKernelKnobs(rig.lab, 'client', { 'ipv4/ip_local_port_range': '20000 20063', 'ipv4/tcp_tw_reuse': '1' });
  // Where the kernel lets us, without the second that a TIME_WAIT is otherwise left alone.
  rig.lab.exec('client', ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse_delay || true']);
});

/** The first connections fill caches, pools and compiled code; what comes after them must not grow. */
describe.each(['server', 'client'] as const)('the %s closes first', (closer) => {
  it(`${flows} short flows over 64 ports`, async () => {
    const port = rig.port();
    await rig.serve({ port, mode: 'short', closer });
    const client = { host: rig.lab.addresses.serverAliases, port, closer, parallel: 8 };
    expect(await rig.client({ ...client, flows: 3000 }, 'short-flows.mjs')).toMatchObject({ ok: 3000 });
    await sleep(500);
    const before = { descriptors: rig.engine.descriptors, memory: rig.engine.residentMegabytes };
    const gained = await rig.counted(async () => {
      const result = await rig.client({ ...client, flows }, 'short-flows.mjs', 100_000);
      expect(result).toMatchObject({ ok: flows, failed: {} });
    });
    expect(counts(gained)).toEqual({ intercepted: flows });
    expect(gained.flows).toMatchObject({ closed: flows, reset: 0, active: 0 });
    expect((await rig.engine.stats()).flows.active).toBe(0);
    await sleep(500);
    expect(rig.engine.descriptors).toBeLessThanOrEqual(before.descriptors + 2);
    expect(rig.engine.residentMegabytes - before.memory).toBeLessThan(50);
    expect(connectionsOf(rig.lab), 'sockets in the middle').toBe('');
  });
});
