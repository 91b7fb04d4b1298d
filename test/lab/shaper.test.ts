/** The lab's own path: what its shaped links and routers do to packets, and that nothing of them stays. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Lab,
  labDown,
  labFind,
  labList,
  labUp,
  type PathOptions,
  shaperOf,
} from '../../src/lab/index.js';
import { bin, programs, waitFor } from './harness.js';
import { Program } from './program.js';

const prefix = `${process.env.DESPLICE_TEST_PREFIX ?? 'dsp-test'}-path`;
const port = 7000;
const json = JSON.stringify;

let started: Program[] = [];
let lab: Lab;

afterEach(async () => {
  for (const program of started) await program.stop();
  started = [];
  labDown(prefix);
  expect(spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout).not.toContain(`${prefix}-`);
});

function up(path?: PathOptions): Lab {
  lab = labUp('inline', { prefix, path });
  return lab;
}

interface Ping {
  /** The numbers that came back, in the order of arrival. */
  numbers: number[];
  /** Round trips, likewise. */
  ms: number[];
}

async function echo(): Promise<void> {
  const argv = [process.execPath, join(programs, 'udp.mjs'), json({ mode: 'echo', port })];
  const program = new Program('udp.mjs', lab.spawn('server', argv));
  started.push(program);
  await program.line();
}

async function ping(options: object, host = lab.addresses.server4): Promise<Ping> {
  const argv = [process.execPath, join(programs, 'udp.mjs'), json({ mode: 'ping', host, port, ...options })];
  return JSON.parse((await lab.run('client', argv, { timeoutMs: 60_000 })).stdout) as Ping;
}

describe('a shaped link', () => {
  it.each(['server4', 'server6'] as const)('delays each way (%s)', async (host) => {
    up({ server: { delayMs: 20 }, client: { toClient: { delayMs: 5 } } });
    await echo();
    const { numbers, ms } = await ping({ count: 200, everyMs: 2 }, lab.addresses[host]);
    expect(numbers).toHaveLength(200);
    expect(Math.min(...ms)).toBeGreaterThanOrEqual(45);
    // The quickest tenth: the rest may have waited for a CPU besides.
    expect(ms.sort((a, b) => a - b)[ms.length / 10]).toBeLessThan(48);
  });

  it('loses the share that was said, and the same packets for the same seed', async () => {
    const results: number[][] = [];
    for (const seed of [5, 5, 6]) {
      up({ server: { loss: 0.05, seed } });
      await echo();
      results.push((await ping({ count: 2000, everyMs: 0.2 })).numbers);
      await waitFor('the count of all', () => lab.counts('server')?.toServer.packets === 2000);
      const counts = lab.counts('server');
      const lost = (counts?.toServer.lost ?? 0) + (counts?.toClient.lost ?? 0);
      expect(results.at(-1)).toHaveLength(2000 - lost);
      expect(counts?.toServer).toMatchObject({ missed: 0, refused: 0, noRoom: 0 });
      await started.pop()?.stop();
    }
    const [a, b, c] = results as [number[], number[], number[]];
    expect(a).toEqual(b);
    expect(c).not.toEqual(a);
    expect(a.length / 2000).toBeGreaterThan(0.95 ** 2 - 0.03);
    expect(a.length / 2000).toBeLessThan(0.95 ** 2 + 0.03);
  });

  it('loses in one direction only, if told so', async () => {
    up({ server: { toServer: { loss: 0.5 } } });
    await echo();
    const { numbers } = await ping({ count: 400, everyMs: 0.2 });
    await waitFor('the count of all', () => lab.counts('server')?.toServer.packets === 400);
    expect(lab.counts('server')?.toClient.lost).toBe(0);
    expect(lab.counts('server')?.toServer.lost).toBe(400 - numbers.length);
    expect(numbers.length).toBeGreaterThan(100);
    expect(numbers.length).toBeLessThan(300);
  });

  it('keeps the order of packets when it is not told to change it', async () => {
    up({ server: { delayMs: 5, jitterMs: 5, loss: 0.01 } });
    await echo();
    const { numbers } = await ping({ count: 10_000, everyMs: 0.1 });
    expect(numbers.length).toBeGreaterThan(9000);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  it('doubles and reorders', async () => {
    up({ server: { toServer: { duplicate: 0.1, reorder: 0.1, delayMs: 5 } } });
    await echo();
    const { numbers } = await ping({ count: 1000, everyMs: 0.5 });
    await waitFor('the count of all', () => lab.counts('server')?.toServer.packets === 1000);
    const counts = lab.counts('server')?.toServer;
    expect(new Set(numbers).size).toBe(1000);
    expect(numbers.length).toBe(1000 + (counts?.duplicated ?? 0));
    expect(counts?.duplicated).toBeGreaterThan(60);
    const behindLater = numbers.filter((n, i) => i > 0 && n < (numbers[i - 1] as number)).length;
    expect(counts?.heldBack).toBeGreaterThan(60);
    expect(behindLater).toBeGreaterThan(50);
    expect(behindLater).toBeLessThanOrEqual(counts?.heldBack ?? 0);
  });

  it('has the rate that was said, and drops what its queue cannot hold', async () => {
    up({ server: { toServer: { rateMbit: 10, queueMs: 100 } } });
    await echo();
    // 1000 bytes of data are 1042 on the wire, 0.8336 ms of it: two seconds of twice the rate.
    const { numbers } = await ping({ count: 4800, everyMs: 0.4168, bytes: 1000 });
    await waitFor('the count of all', () => lab.counts('server')?.toServer.packets === 4800);
    // Those of 2 s, and 100 ms from the queue.
    expect((numbers.length * 0.8336) / 2100).toBeGreaterThan(0.95);
    expect((numbers.length * 0.8336) / 2100).toBeLessThan(1.05);
    expect(lab.counts('server')?.toServer.queueFull).toBe(4800 - numbers.length);
  });

  it('carries no frame that is longer than its MTU, and checksums that are right', async () => {
    up({ server: { delayMs: 1, mtu: 1400 } });
    const capture = lab.spawn('server-wire', ['tcpdump', '-nvv', '-l', '-i', 'toclient', 'tcp']);
    started.push(new Program('tcpdump', capture));
    let text = '';
    for (const stream of [capture.stdout, capture.stderr]) stream?.on('data', (data) => (text += data));
    await waitFor('tcpdump', () => text.includes('listening on'));
    const serve = [
      process.execPath,
      join(programs, 'server.mjs'),
      json({ port, mode: 'exchange', send: 200_000, when: 'connect' }),
    ];
    const server = new Program('server.mjs', lab.spawn('server', serve));
    started.push(server);
    await server.line();
    const client = json({
      host: lab.addresses.server4,
      port,
      send: 200_000,
      expect: 200_000,
      fin: 'received',
    });
    const { stdout } = await lab.run('client', [process.execPath, join(programs, 'client.mjs'), client]);
    expect(JSON.parse(stdout)).toMatchObject({ ok: 1 });
    const lengths = () =>
      [...text.matchAll(/proto TCP \(6\), length (\d+)/g)].map((match) => Number(match[1]));
    // 200,000 bytes at 1348 a segment are 149, but not each is full.
    await waitFor('the packets', () => lengths().filter((each) => each === 1400).length >= 100);
    expect(Math.max(...lengths())).toBe(1400);
    expect(text).not.toContain('incorrect');
  });
});

describe('a router with a small MTU', () => {
  /** What the client learns of the path to the server when it sends a packet of 1400 bytes that may not be cut. */
  function probe(address: string): string {
    const script = `
import socket, sys, time
v6 = ':' in sys.argv[1]
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
level, discover, mtu = (41, 23, 24) if v6 else (0, 10, 14)
s.setsockopt(level, discover, 2)
s.connect((sys.argv[1], 9))
try:
    s.send(bytes(1400))
except OSError: pass
deadline = time.time() + 1
while time.time() < deadline and s.getsockopt(level, mtu) == 1500: time.sleep(0.01)
print(s.getsockopt(level, mtu))
`;
    return lab.exec('client', ['python3', '-c', script, address]).stdout.trim();
  }

  it.each(['client', 'server'] as const)('on the side of the %s says so by ICMP', (side) => {
    up({ routers: { [side]: { mtu: 1300 } } });
    expect(probe(lab.addresses.server4)).toBe('1300');
    expect(probe(lab.addresses.server6)).toBe('1300');
  });

  it('that is for packets to the client lets those to the server pass', () => {
    up({ routers: { server: { mtu: { toClient: 1300 } } } });
    expect(probe(lab.addresses.server4)).toBe('1500');
  });

  it('that eats ICMP says nothing', () => {
    up({ routers: { server: { mtu: 1300, eatIcmp: true } } });
    expect(probe(lab.addresses.server4)).toBe('1500');
    expect(probe(lab.addresses.server6)).toBe('1500');
    expect(lab.exec('server-router', ['nft', 'list', 'ruleset']).stdout).toMatch(/counter packets [1-9]/);
  });

  it('changes no address of the ends, and what fits passes both routers and both links', async () => {
    up({
      client: { delayMs: 3 },
      server: { delayMs: 4 },
      routers: { client: { mtu: 1300 }, server: { mtu: 1300 } },
    });
    const plain = {
      client4: '192.0.2.2',
      client6: '2001:db8:1::2',
      server4: '198.51.100.2',
      server6: '2001:db8:2::2',
    };
    expect(lab.addresses).toMatchObject(plain);
    await echo();
    for (const host of [lab.addresses.server4, lab.addresses.server6]) {
      const { ms } = await ping({ count: 20, everyMs: 1 }, host);
      expect(ms).toHaveLength(20);
      expect(Math.min(...ms)).toBeGreaterThanOrEqual(14);
    }
  });
});

describe('the life of a shaped lab', () => {
  const path: PathOptions = {
    client: { delayMs: 1, seed: 3, toClient: { loss: 0.1 } },
    server: { rateMbit: 50, queuePackets: 20, mtu: 1400 },
    routers: { server: { mtu: 1300, eatIcmp: true } },
  };

  it('is found again as it was made', () => {
    const made = up(path);
    const found = labFind(prefix);
    expect(found?.path).toEqual(made.path);
    expect(found?.addresses).toEqual(made.addresses);
    expect(found?.roles).toEqual(made.roles);
  });

  it('survives a killed shaper, which the list tells, and is taken down whole', async () => {
    up(path);
    const pid = shaperOf(prefix, 'client') as number;
    process.kill(pid, 'SIGKILL');
    await waitFor('the end of the shaper', () => shaperOf(prefix, 'client') === null);
    expect(labList().find((each) => each.prefix === prefix)).toMatchObject({
      dead: ['client'],
      path: lab.path,
    });
    expect(lab.counts('client')).toBeNull();
    const other = shaperOf(prefix, 'server') as number;
    expect(labDown(prefix)).toHaveLength(6);
    expect(() => readFileSync(`/proc/${other}/cmdline`, 'utf8')).toSatisfy(isGone);
  });

  it('leaves labs without a path as they were', () => {
    up();
    expect(labList().find((each) => each.prefix === prefix)).toEqual({
      prefix,
      topology: 'inline',
      namespaces: ['client', 'middle', 'server'].map((role) => `${prefix}-${role}`),
    });
    for (const role of ['client', 'server'] as const) {
      expect(lab.exec(role, ['ethtool', '-k', 'eth0']).stdout).toMatch(/tcp-segmentation-offload: on/);
    }
    expect(() => lab.exec('server-router', ['true'])).toThrow('has no server-router');
  });

  it('is made, shown and removed from the command line', () => {
    const cli = (...args: string[]) =>
      spawnSync(bin, ['lab', ...args], { encoding: 'utf8', timeout: 30_000 });
    const made = cli('up', 'inline', '--prefix', prefix, '--delay', '50ms', '--loss', '1%', '--json');
    expect(made.status).toBe(0);
    expect(JSON.parse(made.stdout).path.server.toServer).toMatchObject({ delayMs: 50, loss: 0.01 });
    expect(cli('list').stdout).toContain('server link: delay 50 ms, loss 1 %');
    expect(cli('exec', '--prefix', prefix, 'server-wire', '--', 'true').status).toBe(0);
    const wrong = cli('up', '--prefix', prefix, '--delay', '50');
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining('50ms') });
    expect(cli('down', '--prefix', prefix).stdout).toContain(`removed ${prefix}-server-wire`);
  });
});

/** Gone, or a zombie that this process has not yet reaped and whose command line is empty. */
function isGone(read: () => string): boolean {
  try {
    return read() === '';
  } catch {
    return true;
  }
}
