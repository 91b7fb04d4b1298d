import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Deadlines } from './deadlines.js';

it('gives what is due, soonest first, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000)), fc.nat(1000), (times, now) => {
      const deadlines = new Deadlines<number>();
      for (const at of times) deadlines.add(at, at);
      const sorted = [...times].sort((a, b) => a - b);
      expect(deadlines.next).toBe(sorted[0] ?? Infinity);
      const taken: number[] = [];
      for (let one = deadlines.take(now); one !== null; one = deadlines.take(now)) taken.push(one);
      expect(taken).toEqual(sorted.filter((at) => at <= now));
      expect(deadlines.size).toBe(times.length - taken.length);
    }),
  );
});
