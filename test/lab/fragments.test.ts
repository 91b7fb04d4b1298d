/** Segments in IP fragments, which only a raw end sends: those of a taken flow reach its sockets, all others pass. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../fidelity/harness/host.js';
import { Path } from '../fidelity/harness/path.js';
import { gains } from '../fidelity/harness/play.js';
import { type RawConnection, RawHost } from '../fidelity/harness/raw.js';
import { Transcript } from '../fidelity/harness/transcript.js';
import { inFragments } from './ip-changes.js';

let path: Path;
let nextPort = 12_000;

beforeAll(async () => {
  path = await Path.up('desplice', {});
});
afterAll(() => path?.down());

/** A raw client whose packets from number `from` to before `to` come in fragments, and a server that reads all. */
async function transfer(family: 4 | 6, from: number, to: number, port = nextPort++) {
  const transcript = new Transcript();
  const { client4, client6, server4, server6 } = path.lab.addresses;
  const [client, server] = family === 4 ? [client4, server4] : [client6, server6];
  const common = { transcript, family, port };
  const raws = { client: path.raw.client[family], server: path.raw.server[family] };
  const host = new Host({
    ...common,
    end: 'server',
    agent: path.agents.server,
    address: server,
    peer: client,
    rawPeer: raws.client,
  });
  const raw = new RawHost({
    ...common,
    ...path.raw.client,
    end: 'client',
    agent: path.agents.client,
    address: raws.client,
    peer: server,
    rawPeer: raws.server,
  });
  const before = await path.stats();
  try {
    const listener = await host.listen();
    const c: RawConnection = await raw.connection();
    let sent = 0;
    c.change = (packet) => {
      const n = sent++;
      return n >= from && n < to ? inFragments(n === 0 ? 24 : 400)(packet) : packet;
    };
    await c.open({ mss: 1200, sackPermitted: true });
    const s = await listener.accept();
    for (let i = 1; i <= 4; i++) {
      await c.send('P.', { length: 1000 });
      expect(await s.receive(1000)).toEqual({ bytes: 1000, end: 'enough' });
      await s.send(500);
      expect(await c.receive(1 + i * 500)).toBe(true);
    }
    await s.close();
    await c.expect('F.');
    await c.send('F.');
    expect(await c.expect('.', { end: 2002 })).toBeDefined();
    expect(transcript.entries.filter(({ result }) => result.includes('wrong'))).toEqual([]);
  } finally {
    await raw.clean();
    await host.clean();
  }
  const gained = Object.entries(gains(before, await path.stats()));
  return Object.fromEntries(gained.filter(([name]) => /^forwarded|intercepted/.test(name)));
}

describe.each([4, 6] as const)('over IPv%s', (family) => {
  // Packets: SYN, ACK, data, acknowledgement, data…
  it('data of a taken flow', async () => {
    expect(await transfer(family, 4, 99)).toEqual({ 'flows.intercepted': 1 });
  });

  it('the first data: too late to step between', async () => {
    expect(await transfer(family, 2, 3)).toEqual({ 'forwarded.asymmetric': 1 });
  });

  it('the SYN', async () => {
    expect(await transfer(family, 0, 1)).toEqual({ 'forwarded.asymmetric': 1 });
  });

  it('everything', async () => {
    expect(await transfer(family, 0, 99)).toEqual({ 'forwarded.asymmetric': 1 });
  });

  it('of a port that no rule names', async () => {
    expect(await transfer(family, 2, 99, 9000)).toEqual({ 'forwarded.unmatched': 1 });
  });
});
