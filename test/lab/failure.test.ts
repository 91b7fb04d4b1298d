/** What goes wrong between the ends goes wrong for them exactly as it would without us. */
import { describe, expect, it } from 'vitest';
import { counts, useRig, waitFor } from './harness.js';

const rig = useRig('failure');
/** The same port in a range that is not watched: everything else is equal. */
const plain = (port: number): number => port + 1000;

interface Outcome {
  outcome: string;
  ms: number;
}

async function both(host: string, port: number): Promise<{ ours: Outcome; without: Outcome }> {
  const [ours, without] = await Promise.all([rig.attempt(host, port), rig.attempt(host, plain(port))]);
  return { ours, without };
}

describe.each(['server4', 'server6'] as const)('%s', (address) => {
  it('refuses', async () => {
    const port = rig.port();
    const gained = await rig.counted(async () => {
      const { ours, without } = await both(rig.lab.addresses[address], port);
      expect(ours.outcome).toBe('ECONNREFUSED');
      expect(without.outcome).toBe('ECONNREFUSED');
      expect(ours.ms).toBeLessThan(500);
    });
    expect(gained.handshakes).toMatchObject({ seen: 1, completed: 0, refused: 1, unanswered: 0 });
    expect(gained.flows).toMatchObject({ intercepted: 0, active: 0 });
  });

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
      10_000,
    );
    const { handshakes, flows } = await rig.engine.stats();
    expect(handshakes.unanswered).toBe(before.handshakes.unanswered + 1);
    expect(handshakes.seen).toBe(before.handshakes.seen + 1);
    expect(flows.intercepted).toBe(before.flows.intercepted);
    rig.lab.exec('server', ['nft', 'delete', 'table', 'inet', 'silent']);
  });

  it('is prohibited by a firewall that says so by ICMP', async () => {
    const port = rig.port();
    const reject = `table inet reject { chain i { type filter hook input priority 0
      tcp dport { ${port}, ${plain(port)} } reject with icmpx type admin-prohibited
    }
    }
    `;
    rig.lab.exec('server', ['nft', '-f', '-'], { input: reject });
    const { ours, without } = await both(rig.lab.addresses[address], port);
    expect(without.outcome).toMatch(/^(EHOSTUNREACH|EACCES)$/);
    expect(ours.outcome).toBe(without.outcome);
    rig.lab.exec('server', ['nft', 'delete', 'table', 'inet', 'reject']);
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
  expect(ours).toMatchObject({ outcome: without.outcome });
  expect(ours.ms).toBeLessThan(500);
});

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
  await waitFor('the server has heard of every reset', async () => {
    const { seen } = await server.report<{ seen: { connections: number; errors: Record<string, number> } }>();
    return seen.connections === 300 && seen.errors.ECONNRESET === 300;
  });
});

it('a client hears of a reset of the server', async () => {
  const port = rig.port();
  await rig.serve({ port, mode: 'reset' });
  const gained = await rig.counted(async () => {
    const result = await rig.client({ host: rig.lab.addresses.server4, port, flows: 50, send: 100 });
    expect(result.failed).toEqual({ ECONNRESET: 50 });
  });
  expect(counts(gained)).toEqual({ intercepted: 50 });
  expect(gained.flows).toMatchObject({ closed: 0, reset: 50 });
});

it('connections that never say anything are counted when they end', async () => {
  const port = rig.port();
  await rig.serve({ port, mode: 'sink' });
  const gained = await rig.counted(async () => {
    const result = await rig.client({ host: rig.lab.addresses.server4, port, flows: 20, send: 0 });
    expect(result.failed).toEqual({ 'last words of 0 bytes': 20 });
  });
  expect(counts(gained)).toEqual({ noData: 20 });
});
