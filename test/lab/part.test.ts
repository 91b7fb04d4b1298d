/** The last FIN of a relayed flow: it goes on as it came where nothing else is left to do (bpf/part.h), and else by a socket. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawConnection } from '../../src/audit/raw-connection.js';
import { Path } from '../fidelity/harness/path.js';
import { countedEnds, type LabEnds, rawTalk } from './ends.js';
import { waitFor } from './harness.js';

let path: Path;
let nextPort = 15_000;
/** No socket of ours announces it: it tells whose segment has arrived. */
const OWN_WINDOW = 4321;

beforeAll(async () => {
  path = await Path.up('desplice', {});
});
afterAll(() => path?.down());

interface Pair {
  /** Closes first. */
  first: RawConnection;
  last: RawConnection;
}

/** Two ends that have exchanged 100 bytes each way, and of which one has closed: the other has heard it. */
async function halfClosed(ends: LabEnds, closer: 'client' | 'server'): Promise<Pair> {
  const [c, s] = await rawTalk(ends, { mss: 1460 });
  const [first, last] = closer === 'client' ? [c, s] : [s, c];
  await first.send('F.');
  await last.expect('F.', { end: 102 });
  await last.send('.');
  return { first, last };
}

const play = async (
  family: 4 | 6,
  closer: 'client' | 'server',
  action: (pair: Pair) => Promise<void>,
): Promise<void> => {
  const closed = (await path.stats()).flows.closed;
  const counts = await countedEnds(path, family, nextPort++, async (ends) => {
    await action(await halfClosed(ends, closer));
    await waitFor('it has ended', async () => (await path.stats()).flows.active === 0);
  });
  expect(counts).toEqual({ 'flows.intercepted': 1 });
  expect((await path.stats()).flows.closed).toBe(closed + 1);
  const sockets = path.lab.exec('middle', ['ss', '-Htan', 'state', 'connected']).stdout;
  expect(sockets, 'not even a TIME_WAIT').toBe('');
};

describe.each([
  [4, 'client'],
  [4, 'server'],
  [6, 'client'],
  [6, 'server'],
] as const)('over IPv%s, closed by the %s first', (family, closer) => {
  it('what the ends say last, they say to each other', () =>
    play(family, closer, async ({ first, last }) => {
      await last.send('F.', { window: OWN_WINDOW });
      expect(await first.expect('F.')).toMatchObject({ window: OWN_WINDOW });
      await first.send('.', { window: OWN_WINDOW });
      expect(await last.expect('.', { end: 102 })).toMatchObject({ window: OWN_WINDOW });
    }));

  it('a FIN that was lost behind us comes again, and goes on again', () =>
    play(family, closer, async ({ first, last }) => {
      await last.send('F.', { window: OWN_WINDOW });
      await first.expect('F.');
      await waitFor('it has ended', async () => (await path.stats()).flows.active === 0);
      await last.send('F.', { seq: last.next - 1, window: OWN_WINDOW });
      expect(await first.expect('F.')).toMatchObject({ window: OWN_WINDOW });
      await first.send('.');
      await last.expect('.', { end: 102 });
    }));

  it.each([
    ['it brings data', { length: 10 }, 112],
    ['its sender has not all the bytes yet', { ack: 101 }, 102],
    ['data before it were lost', { seq: 151 }, 152],
  ])('it goes on by our socket when %s', (_why, odd, end) =>
    play(family, closer, async ({ first, last }) => {
      await last.send('F.', { ...odd, aside: true, window: OWN_WINDOW });
      if ('seq' in odd) await last.send('P.', { length: 50 });
      last.next = end;
      expect((await first.expect('F.', { end }))?.window).not.toBe(OWN_WINDOW);
      await first.send('.');
      await last.send('.');
    }),
  );

  it('whose timestamps are behind what was said in its name is one that nobody accepts', () =>
    play(family, closer, async ({ first, last }) => {
      const options = { tsval: 1, tsecr: last.peerTsval };
      await last.send('F.', { options, aside: true, window: OWN_WINDOW });
      expect(await first.expect('F.', { patienceMs: 100 })).toBeUndefined();
      await last.send('F.', { window: OWN_WINDOW });
      expect(await first.expect('F.')).toBeDefined();
      await first.send('.');
      await last.send('.');
    }));
});
