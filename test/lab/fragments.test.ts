/** Segments in IP fragments, which only a raw end sends: those of a taken flow reach its sockets, all others pass. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Path } from '../fidelity/harness/path.js';
import { countedEnds } from './ends.js';
import { inFragments } from './ip-changes.js';

let path: Path;
let nextPort = 12_000;

beforeAll(async () => {
  path = await Path.up('desplice', {});
});
afterAll(() => path?.down());

/** A raw client whose packets from number `from` to before `to` come in fragments, and a server that reads all. */
function transfer(family: 4 | 6, from: number, to: number, port = nextPort++) {
  return countedEnds(path, family, port, async ({ rawClient, server, transcript }) => {
    const listener = await server.listen();
    const c = await rawClient.connection();
    let sent = 0;
    c.change = (packet) => {
      const n = sent++;
      // The first one has to name the ports, and for IPv6 all that is not an option (RFC 7112).
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
  });
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
