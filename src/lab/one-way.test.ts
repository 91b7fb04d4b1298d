import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DirectionOptions, unshaped } from './conditions.js';
import { OneWay } from './one-way.js';

const way = (options: DirectionOptions, room = 1 << 12, place = 0) =>
  new OneWay({ ...unshaped, ...options }, room, place);

interface Left {
  item: number;
  at: number;
}

/** Lets packets in at the given times, takes them out as soon as they may leave, and returns the order of leaving. */
function pass(oneWay: OneWay, times: number[], bytes: number | ((i: number) => number) = 1000): Left[] {
  const left: Left[] = [];
  const takeOut = (until: number): void => {
    for (let at = oneWay.next(); at <= until && at < Number.POSITIVE_INFINITY; at = oneWay.next()) {
      for (let item = oneWay.leave(at); item >= 0; item = oneWay.leave(at)) left.push({ item, at });
    }
  };
  times.forEach((now, i) => {
    takeOut(now);
    oneWay.enter(now, i, typeof bytes === 'number' ? bytes : bytes(i));
  });
  takeOut(Number.MAX_VALUE);
  return left;
}

const evenly = (count: number, ms: number) => Array.from({ length: count }, (_, i) => i * ms);
const items = (left: Left[]) => left.map(({ item }) => item);

describe('delay', () => {
  it('is added to the time of each packet', () => {
    expect(pass(way({ delayMs: 50 }), [0, 1, 7])).toEqual([
      { item: 0, at: 50 },
      { item: 1, at: 51 },
      { item: 2, at: 57 },
    ]);
  });

  it('is nothing when nothing was asked for', () => {
    expect(pass(way({}), [3, 4])).toEqual([
      { item: 0, at: 3 },
      { item: 1, at: 4 },
    ]);
  });

  it('jitters within its bounds, on both sides of the delay, and overtakes nobody', () => {
    const left = pass(way({ delayMs: 20, jitterMs: 5 }), evenly(1000, 20));
    expect(items(left)).toEqual(evenly(1000, 1));
    const delays = left.map(({ at }, i) => at - 20 * i);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(15);
    expect(Math.max(...delays)).toBeLessThanOrEqual(25);
    expect(Math.min(...delays)).toBeLessThan(16);
    expect(Math.max(...delays)).toBeGreaterThan(24);
    const dense = pass(way({ delayMs: 20, jitterMs: 5 }), evenly(1000, 0.1));
    expect(items(dense)).toEqual(evenly(1000, 1));
  });

  it('is never negative', () => {
    const left = pass(way({ delayMs: 1, jitterMs: 5 }), evenly(200, 10));
    for (const { item, at } of left) expect(at).toBeGreaterThanOrEqual(10 * item);
  });
});

describe('loss', () => {
  it('has the share that was asked for', () => {
    const oneWay = way({ loss: 0.1 });
    const left = pass(oneWay, evenly(20_000, 1));
    expect(oneWay.counts.lost).toBe(20_000 - left.length);
    expect(oneWay.counts.lost / 20_000).toBeGreaterThan(0.09);
    expect(oneWay.counts.lost / 20_000).toBeLessThan(0.11);
  });

  it('strikes the same packets for the same seed, whatever the times, sizes and other conditions', () => {
    const a = items(pass(way({ loss: 0.1, seed: 7 }), evenly(500, 1)));
    const b = items(pass(way({ loss: 0.1, seed: 7, delayMs: 9, jitterMs: 3 }), evenly(500, 0.3), 60));
    expect(b).toEqual(a);
    expect(items(pass(way({ loss: 0.1, seed: 8 }), evenly(500, 1)))).not.toEqual(a);
  });

  it('strikes others in the other direction', () => {
    const a = items(pass(way({ loss: 0.5 }, 1 << 12, 0), evenly(200, 1)));
    expect(items(pass(way({ loss: 0.5 }, 1 << 12, 1), evenly(200, 1)))).not.toEqual(a);
  });

  it('of 1 leaves nothing', () => {
    expect(pass(way({ loss: 1 }), evenly(100, 1))).toEqual([]);
  });
});

describe('duplication', () => {
  it('gives a packet twice, one right behind the other', () => {
    expect(items(pass(way({ duplicate: 1, delayMs: 5 }), [0, 1]))).toEqual([0, 0, 1, 1]);
  });
});

describe('reordering', () => {
  it('lets three others pass a packet', () => {
    const left = items(pass(way({ reorder: 0.05, delayMs: 5 }), evenly(2000, 1)));
    const places = new Map(left.map((item, place) => [item, place]));
    const heldBack = left.filter((item, place) => place > item + 2);
    expect(left).toHaveLength(2000);
    expect(heldBack.length).toBeGreaterThan(60);
    for (const item of heldBack) {
      expect(places.get(item)).toBeGreaterThan(places.get(item + 1) as number);
      expect(places.get(item)).toBeLessThan(item + 5);
    }
  });

  it('holds a packet that nobody follows for 10 ms, of which the delay is a part', () => {
    expect(pass(way({ reorder: 1 }), [5])).toEqual([{ item: 0, at: 15 }]);
    expect(pass(way({ reorder: 1, delayMs: 30 }), [5])).toEqual([{ item: 0, at: 35 }]);
  });
});

describe('rate', () => {
  it('sends one packet after the other', () => {
    // 1000 bytes at 8 Mbit/s are 1 ms.
    const left = pass(way({ rateMbit: 8, queueMs: 10_000, delayMs: 5 }), [0, 0, 0, 10]);
    expect(left.map(({ at }) => at)).toEqual([6, 7, 8, 16]);
  });

  it('drops what would wait longer than the queue is', () => {
    const oneWay = way({ rateMbit: 8, queueMs: 3 });
    expect(items(pass(oneWay, [0, 0, 0, 0, 0, 0, 2]))).toEqual([0, 1, 2, 3, 6]);
    expect(oneWay.counts.queueFull).toBe(2);
  });

  it('drops what finds the queue full by number, and takes more when one has left', () => {
    const oneWay = way({ rateMbit: 8, queuePackets: 2 });
    expect(items(pass(oneWay, [0, 0, 0, 1.5, 1.5]))).toEqual([0, 1, 3]);
    expect(oneWay.counts.queueFull).toBe(2);
  });

  it('is kept over a long time', () => {
    const left = pass(way({ rateMbit: 100, queueMs: 5 }), evenly(20_000, 0.01), 1250);
    const bits = left.length * 1250 * 8;
    expect(bits / (left.at(-1) as Left).at / 1000).toBeCloseTo(100, 0);
  });
});

it('drops what there is no room for', () => {
  const oneWay = way({ delayMs: 1000 }, 16);
  expect(pass(oneWay, evenly(40, 1)).length).toBeLessThan(16);
  expect(oneWay.counts.noRoom).toBeGreaterThan(24);
});

const conditions = fc.record({
  delayMs: fc.double({ min: 0, max: 50, noNaN: true }),
  jitterMs: fc.double({ min: 0, max: 50, noNaN: true }),
  loss: fc.double({ min: 0, max: 1, noNaN: true }),
  reorder: fc.double({ min: 0, max: 1, noNaN: true }),
  duplicate: fc.double({ min: 0, max: 1, noNaN: true }),
  rateMbit: fc.oneof(fc.constant(0), fc.double({ min: 0.001, max: 100, noNaN: true })),
  queueMs: fc.double({ min: 0, max: 50, noNaN: true }),
  queuePackets: fc.nat(20),
  seed: fc.nat(),
});
const gaps = fc.array(fc.double({ min: 0, max: 5, noNaN: true }), { maxLength: 300 });

it('gives back each packet as often as it said, and never before it came', () => {
  fc.assert(
    fc.property(conditions, gaps, (options, spaces) => {
      const oneWay = way(options, 256);
      let now = 0;
      let last = 0;
      const owed = new Map<number, number>();
      const entered = new Map<number, number>();
      const takeOut = (until: number): void => {
        for (let at = oneWay.next(); at <= until && at < Number.POSITIVE_INFINITY; at = oneWay.next()) {
          // A packet that has just been overtaken may be due since before: it leaves now.
          last = Math.max(last, at);
          for (let item = oneWay.leave(at); item >= 0; item = oneWay.leave(at)) {
            owed.set(item, (owed.get(item) ?? 0) - 1);
            expect(last).toBeGreaterThanOrEqual(entered.get(item) as number);
          }
        }
      };
      spaces.forEach((space, i) => {
        now += space;
        takeOut(now);
        entered.set(i, now);
        owed.set(i, oneWay.enter(now, i, 100));
      });
      takeOut(Number.MAX_VALUE);
      expect([...owed.values()].every((n) => n === 0)).toBe(true);
      expect(oneWay.next()).toBe(Number.POSITIVE_INFINITY);
      const { packets } = oneWay.counts;
      expect(packets).toBe(spaces.length);
    }),
  );
});
