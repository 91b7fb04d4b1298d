/** Whoever speaks first, and however much: the ends get their bytes, and each flow is counted once. */
import { describe, expect, it } from 'vitest';
import { setKernelKnobs } from '../../src/lab/index.js';
import { counts, plainPort, useRig } from './harness.js';

const rig = useRig('handshake');
const MB = 1 << 20;

interface Scenario {
  what: string;
  server: object;
  client: object;
  /** Under which name the engine counts the flow. */
  as: string;
}

const scenarios: Scenario[] = [
  {
    what: 'the client speaks first',
    server: { send: 5000, when: 'data' },
    client: { send: 500, expect: 5000 },
    as: 'intercepted',
  },
  {
    what: 'the server speaks first',
    server: { send: 20, when: 'connect' },
    client: { send: 30, expect: 20, start: 'data' },
    as: 'intercepted',
  },
  {
    what: 'both speak at once',
    server: { send: 60_000, when: 'connect' },
    client: { send: 60_000, expect: 60_000, fin: 'received' },
    as: 'intercepted',
  },
  {
    what: 'the client half-closes behind its data, and 1 MB comes back',
    server: { send: MB, when: 'fin' },
    client: { send: 100, expect: MB },
    as: 'intercepted',
  },
  {
    what: 'the client half-closes without a word, and 1 MB comes back',
    server: { send: MB, when: 'fin' },
    client: { send: 0, expect: MB },
    as: 'noData',
  },
  {
    what: '1 byte right behind the handshake',
    server: { send: 1, when: 'data' },
    client: { send: 1, expect: 1 },
    as: 'intercepted',
  },
  {
    what: '300 kB right behind the handshake',
    server: { send: 300_000, when: 'data' },
    client: { send: 300_000, expect: 300_000 },
    as: 'intercepted',
  },
];

describe.each(['server4', 'server6'] as const)('to %s', (address) => {
  it.each(scenarios)('$what', async ({ server, client, as }) => {
    const host = rig.lab.addresses[address];
    const port = rig.port();
    await rig.serve({ port, mode: 'exchange', ...server });
    const gained = await rig.counted(async () => {
      expect(await rig.client({ host, port, ...client })).toMatchObject({ ok: 1, failed: {} });
    });
    expect(counts(gained)).toEqual({ [as]: 1 });
    expect(gained.handshakes).toMatchObject({ seen: 1, completed: 1, refused: 0, unanswered: 0 });
    if (as === 'intercepted') expect(gained.flows).toMatchObject({ intercepted: 1, closed: 1, reset: 0 });
  });
});

describe.each(['client', 'server'] as const)('the %s offers no', (role) => {
  it.each(['window_scaling', 'timestamps', 'sack'])('%s', async (option) => {
    const knob = `ipv4/tcp_${option}`;
    const before = rig.lab.exec(role, ['cat', `/proc/sys/net/${knob}`]).stdout.trim();
    setKernelKnobs(rig.lab, role, { [knob]: '0' });
    try {
      const port = rig.port();
      await rig.serve({ port, mode: 'exchange', send: MB, when: 'data' });
      const gained = await rig.counted(async () => {
        const client = { host: rig.lab.addresses.server4, port, send: MB, expect: MB, fin: 'received' };
        expect(await rig.client(client)).toMatchObject({ ok: 1, failed: {} });
      });
      expect(counts(gained)).toEqual({ intercepted: 1 });
    } finally {
      setKernelKnobs(rig.lab, role, { [knob]: before });
    }
  });
});

it('an idle connection wakes up', async () => {
  // A minute tells more about timers than five seconds do, and is too long for every run.
  const delayMs = process.env.DESPLICE_TEST_LONG ? 60_000 : 5000;
  const { server4, server6 } = rig.lab.addresses;
  const port = rig.port();
  await rig.serve({ port, mode: 'exchange', send: 5 * MB, when: 'data' });
  const gained = await rig.counted(async () => {
    const client = { host: [server4, server6], flows: 2, port, send: 5 * MB, expect: 5 * MB, delayMs };
    expect(await rig.client(client)).toMatchObject({ ok: 2, failed: {} });
  });
  expect(counts(gained)).toEqual({ intercepted: 2 });
});

it('a connection that pauses in the middle of its life goes on', async () => {
  const { server4, server6 } = rig.lab.addresses;
  const port = rig.port();
  await rig.serve({ port, mode: 'exchange', send: 100, when: 'connect' });
  const gained = await rig.counted(async () => {
    const talk = { start: 'data', delayMs: 3000, send: 2 * MB, expect: 100 };
    const result = await rig.client({ host: [server4, server6], flows: 2, port, ...talk });
    expect(result).toMatchObject({ ok: 2, failed: {} });
  });
  expect(counts(gained)).toEqual({ intercepted: 2 });
  expect(gained.bytes.toServer).toBe(4 * MB);
});

it('counts the bytes of both directions', async () => {
  const port = rig.port();
  await rig.serve({ port, mode: 'exchange', send: 70_000, when: 'data' });
  const gained = await rig.counted(async () => {
    await rig.client({ host: rig.lab.addresses.server4, port, send: 50_000, expect: 70_000 });
  });
  expect(gained.bytes).toEqual({ toServer: 50_000, toClient: 70_080 });
});

it('leaves other ports alone', async () => {
  await rig.serve({ port: plainPort, mode: 'exchange', send: 1000 });
  const gained = await rig.counted(async () => {
    const client = { host: rig.lab.addresses.server4, port: plainPort, send: 1000, expect: 1000, flows: 20 };
    expect(await rig.client(client)).toMatchObject({ ok: 20 });
  });
  expect(counts(gained)).toEqual({ unmatched: 20 });
  expect(gained.handshakes.seen).toBe(0);
});
