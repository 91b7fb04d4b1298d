/** Releases that would be noticed are refused, and the flow goes on as if nobody had asked. Raw ends do what no kernel does. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RawConnection } from '../../src/audit/raw-connection.js';
import type { RawSend } from '../../src/audit/raw-segment.js';
import type { ReleaseOutcome } from '../../src/flow/stats.js';
import { Path } from '../fidelity/harness/path.js';
import { countedEnds, type LabEnds } from './ends.js';
import type { Engine } from './engine.js';
import { sleep, waitFor } from './harness.js';

let path: Path;
let nextPort = 13_000;

beforeAll(async () => {
  path = await Path.up('desplice', {});
});
afterAll(() => path?.down());

const release = (seconds: number): Promise<ReleaseOutcome[]> =>
  (path.engine as Engine).release('all', seconds);

const refused = (reason: string) => [
  { id: expect.any(String), result: 'refused', reason: expect.stringContaining(reason) },
];

const usual = { mss: 1460, sackPermitted: true, windowScale: 7 };

interface Talk extends LabEnds {
  c: RawConnection;
  s: Awaited<ReturnType<Awaited<ReturnType<LabEnds['server']['listen']>>['accept']>>;
}

/** A raw client and a server whose connection is taken, with 100 bytes there and back. `send`: what its segments are like. */
async function taken(
  family: 4 | 6,
  action: (talk: Talk) => Promise<void>,
  send: () => RawSend = () => ({}),
  prepare: (c: RawConnection) => void = () => {},
): Promise<void> {
  const counts = await countedEnds(path, family, nextPort++, async (ends) => {
    const listener = await ends.server.listen();
    const c = await ends.rawClient.connection();
    prepare(c);
    await c.open({ ...usual, ...send().options }, send());
    const s = await listener.accept();
    await c.send('P.', { ...send(), length: 100 });
    expect(await s.receive(100)).toEqual({ bytes: 100, end: 'enough' });
    await s.send(100);
    expect(await c.receive(101, send())).toBe(true);
    // `receive` leaves out the last acknowledgement when the data comes while it sends the one before.
    await c.send('.', send());
    await action({ ...ends, c, s });
  });
  expect(counts).toEqual({ 'flows.intercepted': 1 });
}

/** Both ends still talk, and close. */
async function goesOn({ c, s, transcript }: Talk, send: () => RawSend = () => ({})): Promise<void> {
  const [mine, theirs] = [1000, c.received];
  await c.send('P.', { ...send(), length: mine });
  expect(await s.receive(mine)).toEqual({ bytes: mine, end: 'enough' });
  await s.send(500);
  expect(await c.receive(theirs + 500, send())).toBe(true);
  await s.close();
  expect(await c.expect('F.')).toBeDefined();
  await c.send('F.', send());
  expect(await c.expect('.', { end: theirs + 501 })).toBeDefined();
  expect(transcript.entries.filter(({ result }) => result.includes('wrong'))).toEqual([]);
}

/** What every stack does with a window probe: acknowledge (RFC 9293 section 3.10.7.4). Until it is told to stop. */
function answersProbes(c: RawConnection, send: () => RawSend): () => Promise<number> {
  let over = false;
  const answering = (async () => {
    let answered = 0;
    while (!over) {
      for (const segment of c.segments.splice(0)) {
        const before = ((segment.seq - (c.peerIsn ?? 0)) | 0) < c.received;
        if (!before || segment.payload.length > 1) continue;
        answered++;
        await c.send('.', send());
      }
      await sleep(5);
    }
    return answered;
  })();
  return () => {
    over = true;
    return answering;
  };
}

describe.each([4, 6] as const)('over IPv%s', (family) => {
  it('a client whose timestamps tick at 100 Hz would seem to go back in time', async () => {
    const began = performance.now();
    let peer: RawConnection | undefined;
    const send = (): RawSend => ({
      options: {
        tsval: 500_000 + Math.floor((performance.now() - began) / 10),
        tsecr: peer?.peerTsval ?? 0,
      },
    });
    await taken(
      family,
      async (talk) => {
        const { c, s } = talk;
        // Our socket speaks for the client with a clock ten times as fast.
        for (let i = 1; i <= 5; i++) {
          await sleep(100);
          await c.send('P.', { ...send(), length: 100 });
          expect(await s.receive(100)).toEqual({ bytes: 100, end: 'enough' });
        }
        const stop = answersProbes(c, send);
        expect(await release(0.8)).toEqual(refused('not in time: the timestamps of an end are'));
        // At once, and again after half a second.
        expect(await stop()).toBe(2);
        expect(await path.flows()).toHaveLength(1);
        await goesOn(talk, send);
      },
      send,
      (c) => {
        peer = c;
      },
    );
  });

  it('one whose timestamps tick in milliseconds is released', async () => {
    await taken(
      family,
      async (talk) => {
        const stop = answersProbes(talk.c, () => ({}));
        expect(await release(1)).toEqual([{ id: expect.any(String), result: 'released' }]);
        await stop();
        await goesOn(talk);
      },
      undefined,
      (c) => c.useTimestamps(500_000),
    );
  });

  it('one that closes is left to close', async () => {
    await taken(family, async (talk) => {
      const { c, s } = talk;
      await c.send('F.');
      expect(await s.receive()).toMatchObject({ end: 'EOF' });
      expect(await release(0.3)).toEqual(refused('it is closing'));
      await s.send(500);
      expect(await c.receive(601)).toBe(true);
      await s.close();
      expect(await c.expect('F.')).toBeDefined();
      await c.send('.', { ack: 602 });
    });
  });

  it('one that does not acknowledge what it was sent is too late', async () => {
    await taken(family, async (talk) => {
      await talk.s.send(300);
      const reason = 'not in time: the client has not acknowledged 300 bytes';
      expect(await release(0.3)).toEqual(refused(reason));
      expect(await talk.c.receive(401)).toBe(true);
      await goesOn(talk);
    });
  });

  it('one with a hole in what it has sent waits until the hole is filled', async () => {
    await taken(family, async (talk) => {
      const { c, s } = talk;
      await c.send('P.', { seq: 201, length: 100, aside: true });
      await sleep(50);
      expect(await release(0.3)).toEqual(refused('not in time: data of the client lies behind a hole'));
      const outcome = release(2);
      await sleep(300);
      await c.send('P.', { seq: 101, length: 100 });
      expect(await outcome).toMatchObject([{ result: 'released' }]);
      c.next = 301;
      expect(await s.receive(200)).toEqual({ bytes: 200, end: 'enough' });
      await goesOn(talk);
    });
  });

  it('one that resets meanwhile resets the other end', async () => {
    await taken(family, async ({ c, s }) => {
      await s.send(300);
      const outcome = release(15);
      await waitFor('it is being released', async () => (await path.flows())[0]?.state === 'releasing');
      await c.send('R.');
      expect((await outcome).map(({ result }) => result)).toEqual([expect.stringMatching(/refused|ended/)]);
      expect((await s.receive()).end).toBe('ECONNRESET');
      expect(await path.flows()).toEqual([]);
    });
  });
});
