/** Acknowledgements mean arrival (bpf/arrived.h): when an end hears of the other end's, and when of our socket's own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawConnection } from '../../src/audit/raw-connection.js';
import { Path } from '../fidelity/harness/path.js';
import { countedEnds, rawTalk } from './ends.js';
import { sleep, waitFor } from './harness.js';

let path: Path;
let nextPort = 15_500;
/** Longer than our socket puts an acknowledgement off (TCP_DELACK_MAX), shorter than any retransmission timer. */
const SILENCE_MS = 150;
const OTHER_OPTION = { more: [253, 4, 0, 0] };

/** The option itself first and two NOPs behind it: as good, and not as nearly everybody writes it (RFC 7323 appendix A). */
function stampsFirst({ tsval, tsecr }: { tsval: number; tsecr: number }) {
  const words = Buffer.alloc(8);
  words.writeUInt32BE(tsval >>> 0, 0);
  words.writeUInt32BE(tsecr >>> 0, 4);
  return { tsval: undefined, tsecr: undefined, more: [8, 10, ...words, 1, 1] };
}

beforeAll(async () => {
  path = await Path.up('desplice', {});
  // BBR has a window of its own mind.
  path.lab.exec('middle', ['sh', '-c', 'echo reno > /proc/sys/net/ipv4/tcp_congestion_control']);
});
afterAll(() => path?.down());

interface Ends {
  /** Sends. */
  near: RawConnection;
  /** Receives, and acknowledges when the test says so. */
  far: RawConnection;
}

/** Two ends with 100 bytes each way behind them, all acknowledged. */
const play = async (family: 4 | 6, sender: 'client' | 'server', action: (ends: Ends) => Promise<void>) => {
  const counts = await countedEnds(path, family, nextPort++, async (ends) => {
    const [c, s] = await rawTalk(ends, { mss: 1460, windowScale: 7 });
    const [near, far] = sender === 'client' ? [c, s] : [s, c];
    await forget(near);
    await action({ near, far });
    await near.send('R.');
    await waitFor('it has ended', async () => (await path.stats()).flows.active === 0);
  });
  expect(counts).toEqual({ 'flows.intercepted': 1 });
};

async function forget(end: RawConnection): Promise<void> {
  await sleep(SILENCE_MS);
  end.segments.length = 0;
}

/** How far the newest acknowledgement that it has got goes, relative; 0: it got none. */
const toldOf = (end: RawConnection): number =>
  Math.max(0, ...end.segments.map(({ ack }) => (ack - end.isn) | 0));

const told = (end: RawConnection, what: number): Promise<void> =>
  waitFor(`an acknowledgement up to ${what}`, () => toldOf(end) >= what);

describe.each([
  [4, 'client'],
  [4, 'server'],
  [6, 'client'],
  [6, 'server'],
] as const)('over IPv%s, the %s sends', (family, sender) => {
  it('the newest segment is acknowledged by the other end, those before it at once', () =>
    play(family, sender, async ({ near, far }) => {
      for (let i = 0; i < 3; i++) await near.send(i < 2 ? '.' : 'P.', { length: 1000 });
      await far.expect('.', { end: 3101 });
      await told(near, 2101);
      await forget(near);
      await sleep(SILENCE_MS);
      expect(toldOf(near), 'while the other end is silent').toBeLessThanOrEqual(2101);
      near.segments.length = 0;
      await far.send('.');
      await told(near, 3101);
      expect(near.segments).toHaveLength(1);
      const [only] = near.segments;
      expect(only?.seq, 'numbers are those that our socket would use').toBe(far.isn + 101);
      expect(only?.window).toBeGreaterThan(0);
    }));

  it('a repetition is not answered before the other end has answered', () =>
    play(family, sender, async ({ near, far }) => {
      await near.send('P.', { length: 200 });
      await far.expect('.', { end: 301 });
      await near.send('P.', { seq: 101, length: 200, aside: true });
      await sleep(SILENCE_MS);
      expect(toldOf(near)).toBeLessThanOrEqual(101);
      await far.send('.');
      await told(near, 301);
    }));

  it('one byte that is sent again is no keep-alive', () =>
    play(family, sender, async ({ near, far }) => {
      await near.send('P.', { length: 1 });
      await far.expect('.', { end: 102 });
      await forget(far);
      await near.send('P.', { seq: 101, length: 1, aside: true });
      await sleep(SILENCE_MS);
      // Our socket repeats the byte itself; a probe would be older.
      expect(far.segments.filter(({ seq }) => ((seq - near.isn) | 0) < 101)).toEqual([]);
      expect(toldOf(near)).toBeLessThanOrEqual(101);
      await far.send('.');
      await told(near, 102);
    }));

  it.each(['other options', 'timestamps in another place'])(
    'what came to us in an acknowledgement with %s is told when the end asks again',
    (which) =>
      play(family, sender, async ({ near, far }) => {
        await near.send('P.', { length: 200 });
        await far.expect('.', { end: 301 });
        const stamps = { tsval: far.tsval, tsecr: far.peerTsval };
        const options = which === 'other options' ? { ...OTHER_OPTION, ...stamps } : stampsFirst(stamps);
        await far.send('.', { options });
        await sleep(SILENCE_MS);
        expect(toldOf(near)).toBeLessThanOrEqual(101);
        await near.send('P.', { seq: 101, length: 200, aside: true });
        await told(near, 301);
      }),
  );

  it('it is acknowledged at once where the other end has no room for it', () =>
    play(family, sender, async ({ near, far }) => {
      await far.send('.', { window: 0 });
      await forget(near);
      await near.send('P.', { length: 200 });
      await told(near, 301);
    }));

  it('a sender of much is not made to wait', () =>
    play(family, sender, async ({ near, far }) => {
      for (let i = 0; i < 20; i++) await near.send('P.', { length: 1000 });
      await told(near, 20_101);
      expect(await far.receive(20_101)).toBe(true);
    }));

  it('our socket does not take what is withheld for congestion', () =>
    play(family, sender, async ({ near, far }) => {
      for (let i = 1; i <= 3; i++) {
        await near.send('P.', { length: 100 });
        await far.expect('.', { end: 101 + 100 * i });
        await sleep(SILENCE_MS);
        await far.send('.');
        await told(near, 101 + 100 * i);
      }
      const sockets = path.lab.exec('middle', ['ss', '-Htni', 'state', 'established']).stdout;
      expect(sockets).toMatch(/ cwnd:\d/);
      expect(sockets, 'a window that was cut').not.toContain(' ssthresh:');
    }));

  it('who has ended is answered at once', () =>
    play(family, sender, async ({ near, far }) => {
      await near.send('FP.', { length: 200 });
      await told(near, 302);
      expect(await far.expect('F.', { end: 302 })).toBeDefined();
    }));
});
