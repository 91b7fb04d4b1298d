/** ICMP errors behind the middle: those about a taken flow are ours, all others pass. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, labDown, labUp } from '../../src/lab/index.js';
import { Engine } from './engine.js';
import { sleep, waitFor } from './harness.js';

const prefix = `${process.env.DESPLICE_TEST_PREFIX ?? 'dsp-test'}-icmp`;
const folder = mkdtempSync(join(tmpdir(), 'desplice-icmp-'));
const bytes = 200_000;
const ports = { watched: 8000, plain: 9500 };
let lab: Lab;
let engine: Engine;

const serve = `require('node:net').createServer((s) => { s.on('error', () => {}); s.once('data', () => s.end(Buffer.alloc(${bytes}))); })`;

beforeAll(async () => {
  lab = labUp('inline', { prefix, path: { routers: { client: { mtu: { toClient: 1300 } } } } });
  engine = await Engine.start(
    lab,
    join(folder, 'control.sock'),
    ['toclient', 'toserver'],
    ['-p', '8000-8999'],
  );
  for (const port of Object.values(ports)) {
    lab.spawn('server', [process.execPath, '-e', `${serve}.listen(${port}, '::')`]);
    await waitFor('the server', () =>
      lab.exec('server', ['ss', '-Htln', `sport = :${port}`]).stdout.includes(String(port)),
    );
  }
});

afterAll(async () => {
  if (engine?.running) await engine.stop();
  await lab?.stop();
  labDown(prefix);
  rmSync(folder, { recursive: true, force: true });
});

async function download(host: string, port: number): Promise<number> {
  const script = `let n = 0; const s = require('node:net').connect(${port}, '${host}', () => s.write('x')); s.on('data', (d) => (n += d.length)).on('close', () => console.log(n))`;
  const { stdout } = await lab.run('client', [process.execPath, '-e', script], { timeoutMs: 30_000 });
  return Number(stdout);
}

/** What a namespace has learned of the path to the client, or null. */
function learned(role: 'server' | 'middle', client: string): string | null {
  const { stdout } = lab.exec(role, ['ip', '-o', 'route', 'get', client]);
  return /\bmtu (\d+)/.exec(stdout)?.[1] ?? null;
}

describe.each([4, 6] as const)('a router behind the middle with a small MTU, IPv%i', (family) => {
  const client = () => lab.addresses[`client${family}`];
  const server = () => lab.addresses[`server${family}`];

  it('tells us about a taken flow, and not the server', async () => {
    expect(await download(server(), ports.watched)).toBe(bytes);
    expect(learned('middle', client())).toBe('1300');
    // It has had its time: the download is over.
    await sleep(50);
    expect(learned('server', client())).toBe(null);
    expect((await engine.stats()).flows.intercepted).toBe(family === 4 ? 1 : 2);
  });

  it('tells the server about a port that no rule names', async () => {
    expect(await download(server(), ports.plain)).toBe(bytes);
    expect(learned('server', client())).toBe('1300');
  });
});
