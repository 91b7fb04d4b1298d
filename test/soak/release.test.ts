/**
 * The long form of test/lab/release.test.ts: 2,000 flows, half of them over IPv4 and half over IPv6, are released at random moments
 * of their traffic and then live on for ten minutes (SOAK_MINUTES). Half of each rest all that time and speak again at its end,
 * half rest and speak in turns. Every byte is checked at both ends. Prints a line every 15 seconds.
 */
import { describe, expect, it } from 'vitest';
import type { ReleaseOutcome } from '../../src/flow/stats.js';
import type { PathOptions } from '../../src/lab/index.js';
import { type Rig, sleep, useRig, waitFor, watched } from '../lab/harness.js';
import { type Chatter, chatter, expectNoTrace, releaseAtRandom, roughPath, tally } from '../lab/releases.js';
import { connectionsOf } from '../lab/state.js';

const minutes = Number(process.env.SOAK_MINUTES ?? 10);
if (!(minutes > 0 && minutes <= 60)) throw new Error(`SOAK_MINUTES ${process.env.SOAK_MINUTES}: 0 to 60`);
const restMs = minutes * 60_000;
const flowsEach = 1000;
const flows = 2 * flowsEach;
/** While they are released: about 20 s of chunks of 2 kB on average, one in 0.4 s. */
const busyBytes = 100_000;
const gapMs = 800;
/** Of one stretch of traffic between two rests: about 4 s. */
const stretch = 20_000;
const shortRestMs = 16_000;
/** The releases, the last stretch, and room for what is lost or late. */
const spareMs = 180_000;

const paths: [string, string, PathOptions | undefined][] = [
  ['a clean path', 'soak-clean', undefined],
  ['a path with 20 ms and 1 % loss', 'soak-rough', roughPath],
];

describe.each(paths)('on %s', (what, name, path) => {
  const rig = useRig(name, { run: ['-p', watched, '--drain', '1'], path });

  it(`${flows} flows are released, and go on for ${minutes} min`, { timeout: restMs + spareMs }, async () => {
    const before = await rig.engine.stats();
    const progress = new Progress(what, rig, before.flows.released);
    const timeoutMs = restMs + spareMs - 20_000;
    const hosts = [rig.lab.addresses.server4, rig.lab.addresses.server6];
    const common: Chatter = { hosts, flows: flowsEach, bytes: busyBytes, gapMs, timeoutMs };
    const turns = Math.max(1, Math.round(restMs / (shortRestMs + (stretch / 2000) * (gapMs / 2))));
    const idle = await chatter(rig, {
      ...common,
      bytes: busyBytes + stretch,
      rest: { after: busyBytes, every: stretch, ms: restMs },
    });
    const busy = await chatter(rig, {
      ...common,
      bytes: busyBytes + turns * stretch,
      rest: { after: busyBytes, every: stretch, ms: shortRestMs },
    });
    try {
      const all = Promise.all([idle.done, busy.done]);
      // Who fails early is told at once, in place of a wait for the other half.
      let over = false;
      const early = all.finally(() => {
        over = true;
      });
      early.catch(() => {});
      const outcomes: ReleaseOutcome[] = [];
      const released = () => outcomes.filter(({ result }) => result === 'released').length;
      const deadline = Date.now() + 90_000;
      const done = () => over || released() >= flows || Date.now() > deadline;
      await releaseAtRandom(rig.engine, done, { share: 0.1, withinSeconds: 10, outcomes });
      const { flows: now } = await rig.engine.stats();
      console.log(`soak: ${what}: released:`, tally(outcomes));
      expect(now).toMatchObject({ active: 0, reset: before.flows.reset });
      expect(released()).toBe(flows);
      while (!over) {
        // Of a released flow nothing may come back: no socket, and no packet that is answered here.
        expect(connectionsOf(rig.lab)).toBe('');
        await Promise.race([sleep(1000), all]);
      }
      for (const result of await all) expect(result).toMatchObject({ ok: flowsEach, failed: {} });
      for (const { serving } of [idle, busy]) {
        await waitFor('the server has seen every end', async () => {
          const { seen } = await serving.report<{ seen: { ended: number; errors: object } }>();
          expect(seen.errors).toEqual({});
          return seen.ended === flowsEach;
        });
      }
      await expectNoTrace(rig, before, tally(outcomes), flows - 1);
    } finally {
      progress.stop();
    }
  });
});

/** A line every 15 seconds. */
class Progress {
  readonly #began = Date.now();
  readonly #timer = setInterval(() => void this.#say(), 15_000);

  constructor(
    readonly what: string,
    readonly rig: Rig,
    readonly releasedBefore: number,
  ) {}

  async #say(): Promise<void> {
    const { flows: now } = await this.rig.engine.stats();
    const sockets = connectionsOf(this.rig.lab).split('\n').length - 1;
    const seconds = Math.round((Date.now() - this.#began) / 1000);
    const counts = `taken ${now.active}, released ${now.released - this.releasedBefore}, reset ${now.reset}`;
    // Not console.log(), which vitest holds back.
    process.stderr.write(`soak: ${this.what}: ${seconds} s: ${counts}, sockets in the middle ${sockets}\n`);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
