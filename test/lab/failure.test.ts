/** What goes wrong between the ends goes wrong for them exactly as it would without us. */
import { beforeAll, describe, expect, it } from 'vitest';
import { setKernelKnobs } from '../../src/lab/index.js';
import { type Attempt, counts, useRig, waitFor } from './harness.js';

const rig = useRig('failure');
/** The same port in a range that is not watched: everything else is equal. */
const plain = (port: number): number => port + 1000;

async function both(host: string, port: number): Promise<{ ours: Attempt; without: Attempt }> {
  const [ours, without] = await Promise.all([rig.attempt(host, port), rig.attempt(host, plain(port))]);
  return { ours, without };
}

// The kernel says `unreachable` to one host only now and then, and these tests ask often.
beforeAll(() => {
  for (const role of ['middle', 'server'] as const)
    setKernelKnobs(rig.lab, role, { 'ipv4/icmp_ratelimit': '0' });
});

// First of all: handshakes that end by an ICMP error are unanswered as well, and counted some seconds later.
describe.each(['server4', 'server6'] as const)('%s', (address) => {
  it('is silent', async () => {
    const port = rig.port();
    const drop = `table inet silent { chain i { type filter hook input priority 0
      tcp dport { ${port}, ${plain(port)} } drop
    }
    }
    `;
    rig.lab.exec('server', ['nft', '-f', '-'], { input: drop });
    // The kernel gives up after the SYN and two repetitions: 1 + 2 + 4 seconds.
    rig.lab.exec('client', ['sh', '-c', 'echo 2 > /proc/sys/net/ipv4/tcp_syn_retries']);
    const before = await rig.engine.stats();
    const { ours, without } = await both(rig.lab.addresses[address], port);
    expect(ours.outcome).toBe('ETIMEDOUT');
    expect(without.outcome).toBe('ETIMEDOUT');
    await waitFor(
      'the unanswered handshake is counted',
      async () => (await rig.engine.stats()).handshakes.unanswered > before.handshakes.unanswered,
    );
    const { handshakes, flows } = await rig.engine.stats();
    expect(handshakes.unanswered).toBe(before.handshakes.unanswered + 1);
    expect(handshakes.seen).toBe(before.handshakes.seen + 1);
    expect(flows.intercepted).toBe(before.flows.intercepted);
    rig.lab.exec('server', ['nft', 'delete', 'table', 'inet', 'silent']);
  });
});

describe.each(['server4', 'server6'] as const)('%s', (address) => {
  it('refuses', async () => {
    const port = rig.port();
    const gained = await rig.counted(async () => {
      const { ours, without } = await both(rig.lab.addresses[address], port);
      expect(ours.outcome).toBe('ECONNREFUSED');
      expect(without.outcome).toBe('ECONNREFUSED');
      // A SYN that was lost is sent again after a second (RFC 6298 section 2.1).
      expect(ours.ms).toBeLessThan(900);
    });
    expect(gained.handshakes).toMatchObject({ seen: 1, completed: 0, refused: 1, unanswered: 0 });
    expect(gained.flows).toMatchObject({ intercepted: 0, active: 0 });
  });

  it('is prohibited by a firewall that says so by ICMP', async () => {
    const port = rig.port();
    const reject = `table inet refuse { chain i { type filter hook input priority 0
      tcp dport { ${port}, ${plain(port)} } reject with icmpx type admin-prohibited
    }
    }
    `;
    rig.lab.exec('server', ['nft', '-f', '-'], { input: reject });
    const { ours, without } = await both(rig.lab.addresses[address], port);
    expect(without.outcome).toMatch(/^(EHOSTUNREACH|EACCES)$/);
    expect(ours.outcome).toBe(without.outcome);
    rig.lab.exec('server', ['nft', 'delete', 'table', 'inet', 'refuse']);
  });
});

it('a host that is not there is unreachable', async () => {
  // Nobody answers for it on the server's link: the middle itself says so, after its three ARP requests.
  const { ours, without } = await both('198.51.100.250', rig.port());
  expect(without.outcome).toBe('EHOSTUNREACH');
  expect(ours.outcome).toBe(without.outcome);
});

it('a network that is not there is unreachable', async () => {
  rig.lab.exec('middle', ['ip', 'route', 'add', 'unreachable', '203.0.113.0/24']);
  const { ours, without } = await both('203.0.113.7', rig.port());
  rig.lab.exec('middle', ['ip', 'route', 'del', 'unreachable', '203.0.113.0/24']);
  expect(without.outcome).toBe('EHOSTUNREACH');
  // No word about when: ip_error() itself says it only so often, and the SYN after it has to ask again.
  expect(ours.outcome).toBe(without.outcome);
});

interface Seen {
  seen: { connections: number; ended: number; errors: Record<string, number> };
}

it('clients that reset at once leave nothing behind', async () => {
  const port = rig.port();
  const server = await rig.serve({ port, mode: 'sink' });
  const gained = await rig.counted(async () => {
    const client = {
      host: rig.lab.addresses.server4,
      port,
      flows: 300,
      parallel: 10,
      send: 100,
      reset: true,
    };
    expect(await rig.client(client)).toMatchObject({ ok: 300, failed: {} });
  });
  const total = Object.values(counts(gained)).reduce((sum, n) => sum + n, 0);
  expect(total, JSON.stringify(counts(gained))).toBe(300);
  expect(gained.flows.closed + gained.flows.reset).toBe(gained.flows.intercepted);
  // libuv takes a reset right behind data for an end (uv__stream_io), so which of the two it was can't be told here.
  await waitFor('the server has seen all of them end', async () => {
    const { seen } = await server.report<Seen>();
    return seen.connections === 300 && seen.ended + (seen.errors.ECONNRESET ?? 0) === 300;
  });
});

describe.each([
  ['watched', () => rig.port()],
  ['plain', () => plain(rig.port())],
] as const)('%s: a reset arrives as a reset', (_what, choosePort) => {
  it('from the client', async () => {
    const port = choosePort();
    const host = rig.lab.addresses.server4;
    const server = await rig.serve({ port, mode: 'sink' });
    await rig.counted(async () => {
      await rig.client({ host, port, flows: 50, send: 100, reset: true, resetMs: 300 });
      await waitFor('the server has heard of all', async () => {
        const { seen } = await server.report<Seen>();
        return seen.ended + (seen.errors.ECONNRESET ?? 0) === 50;
      });
    });
    expect((await server.report<Seen>()).seen).toMatchObject({ ended: 0, errors: { ECONNRESET: 50 } });
  });

  it.each(['sent', 'received'])('from the server (the client half-closes when all is %s)', async (fin) => {
    const port = choosePort();
    await rig.serve({ port, mode: 'reset' });
    const gained = await rig.counted(async () => {
      const client = { host: rig.lab.addresses.server4, port, flows: 50, send: 100, expect: 10, fin };
      expect((await rig.client(client)).failed).toEqual({ ECONNRESET: 50 });
    });
    if (gained.flows.intercepted > 0) expect(gained.flows).toMatchObject({ closed: 0, reset: 50 });
  });
});

for (const [what, choosePort] of [
  ['plain', () => plain(rig.port())],
  ['watched', () => rig.port()],
] as const) {
  it(`${what}: a reset behind a FIN arrives, too`, { timeout: 15_000 }, async () => {
    const port = choosePort();
    const server = await rig.start('server', 'reset-after-fin.mjs', { port, listen: true });
    await rig.client({ host: rig.lab.addresses.server4, port }, 'reset-after-fin.mjs');
    await server.line((line) => line.includes('"saw":"end"'));
    // Node no longer reads a socket that has ended, so that only the kernel tells that it is gone.
    const sockets = () =>
      rig.lab.exec('server', ['ss', '-Htn', 'state', 'connected', `( sport = :${port} )`]).stdout.trim();
    await waitFor('the server has lost its socket', () => sockets() === '');
  });
}

it('connections that never say anything are counted when they end', async () => {
  const port = rig.port();
  await rig.serve({ port, mode: 'sink' });
  const gained = await rig.counted(async () => {
    const result = await rig.client({ host: rig.lab.addresses.server4, port, flows: 20, send: 0 });
    expect(result.failed).toEqual({ 'last words of 0 bytes': 20 });
  });
  expect(counts(gained)).toEqual({ noData: 20 });
});
