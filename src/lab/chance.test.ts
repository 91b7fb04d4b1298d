import { expect, it } from 'vitest';
import { chance, streamOf } from './chance.js';

const numbers = (stream: number, count = 10_000) =>
  Array.from({ length: count }, (_, n) => chance(stream, n));

it('spreads evenly from 0 to 1', () => {
  const bins = new Array<number>(10).fill(0);
  for (const x of numbers(streamOf(1, 1), 100_000)) {
    bins[Math.floor(x * 10)] = (bins[Math.floor(x * 10)] as number) + 1;
  }
  expect(bins).toHaveLength(10);
  for (const bin of bins) expect(Math.abs(bin - 10_000)).toBeLessThan(500);
});

it('has no memory: what follows a small number is as any', () => {
  const all = numbers(streamOf(3, 1), 100_000);
  const behind = all.filter((_, i) => i > 0 && (all[i - 1] as number) < 0.1);
  const mean = behind.reduce((sum, x) => sum + x, 0) / behind.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
});

it.each([
  ['two uses of one seed', streamOf(1, 1), streamOf(1, 2)],
  ['neighbouring seeds', streamOf(1, 1), streamOf(2, 1)],
])('%s have nothing in common', (_, a, b) => {
  const one = numbers(a);
  const other = numbers(b);
  const both = one.filter((x, i) => x < 0.1 && (other[i] as number) < 0.1).length;
  expect(Math.abs(both - 100)).toBeLessThan(50);
});

it('is the same each time', () => {
  expect(chance(streamOf(42, 3), 1_000_000)).toBe(chance(streamOf(42, 3), 1_000_000));
});
