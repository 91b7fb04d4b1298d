import { describe, expect, it } from 'vitest';
import { cluesOf, distanceOf, type Observed } from './probe.js';

const plain: Observed = {
  answer: { ttl: 57, mss: 1460, options: ['mss 1460'], ecn: false },
  answeredAt: null,
  tried: [1, 2, 3, 4, 5, 6, 7],
  badChecksumAnswered: false,
  closedAnswered: null,
};
const found = (seen: Partial<Observed>) =>
  cluesOf({ ...plain, ...seen })
    .filter(({ confidence }) => confidence !== 'nothing found')
    .map(({ id, confidence }) => `${confidence}: ${id}`);

describe('distanceOf', () => {
  it.each([
    [64, 0],
    [57, 7],
    [118, 10],
    [245, 10],
  ])('a TTL of %i is %i hops away', (ttl, hops) => {
    expect(distanceOf(ttl)).toBe(hops);
  });
});

describe('cluesOf', () => {
  it('finds nothing where nothing is odd', () => {
    expect(found({})).toEqual([]);
    expect(found({ answer: null, closedAnswered: false })).toEqual([]);
  });

  it('is certain of what no server does', () => {
    expect(found({ closedAnswered: true })).toEqual(['certain: closed-port-answers']);
    expect(found({ answer: null, closedAnswered: true })).toEqual(['certain: closed-port-answers']);
    expect(found({ badChecksumAnswered: true })).toEqual(['certain: bad-checksum-answers']);
    expect(found({ answer: { ttl: 57, mss: 65_495, options: [], ecn: false } })).toEqual([
      'certain: odd-mss',
    ]);
  });

  it('only suspects what an odd TTL may explain too', () => {
    expect(found({ answeredAt: 2, tried: [1, 2] })).toEqual(['likely: nearer-than-it-seems']);
  });
});
