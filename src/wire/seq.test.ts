import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seqAdd, seqAfter, seqBefore, seqDistance } from './seq.js';

const seq = fc.integer({ min: 0, max: 0xffffffff });

describe('sequence numbers', () => {
  it('wrap', () => {
    expect(seqAdd(0xffffffff, 1)).toBe(0);
    expect(seqAdd(0, -1)).toBe(0xffffffff);
    expect(seqBefore(0xfffffff0, 5)).toBe(true);
    expect(seqAfter(5, 0xfffffff0)).toBe(true);
    expect(seqBefore(7, 7) || seqAfter(7, 7)).toBe(false);
  });

  it('keep their distance', () => {
    fc.assert(
      fc.property(seq, fc.integer({ min: 1, max: 0x7fffffff }), (a, count) => {
        const b = seqAdd(a, count);

        expect(seqDistance(b, a)).toBe(count);
        expect(seqDistance(a, b)).toBe(-count);
        expect([seqBefore(a, b), seqAfter(a, b), seqBefore(b, a), seqAfter(b, a)]).toEqual([
          true,
          false,
          false,
          true,
        ]);
      }),
    );
  });
});
