import { describe, expect, it } from 'vitest';
import { catalogue, faultCount, untold } from '../catalogue.js';
import { faults } from './index.js';

describe('the texts of the faults', () => {
  it('are there for every number, in order, each with a name of its own', () => {
    expect(faults.map(({ number }) => number)).toEqual(Array.from({ length: faultCount }, (_, i) => i + 1));
    expect(new Set(faults.map(({ slug }) => slug)).size).toBe(faultCount);
    for (const { slug } of faults) expect(slug).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  });

  it('name every fault that a case tells, or that none does', () => {
    const named = [...catalogue.flatMap((each) => each.faults), ...Object.keys(untold).map(Number)];
    for (const number of named) expect(faults.some((each) => each.number === number)).toBe(true);
  });

  it.each(faults)('$number $slug is short, and says what, why and what to do', (fault) => {
    const { happens, why, instead, standard, title } = fault;
    const words = [happens, why, instead, standard].join(' ').split(/\s+/).length;
    expect(words).toBeGreaterThanOrEqual(80);
    expect(words).toBeLessThanOrEqual(200);
    for (const text of [happens, why, instead, standard]) expect(text).toMatch(/\.$/);
    expect(title).not.toMatch(/\.$/);
  });
});
