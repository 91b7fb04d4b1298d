import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { groups } from './case.js';
import { catalogue, faultCount, untold } from './catalogue.js';

describe('the catalogue', () => {
  it('names each case once, in words for a command line', () => {
    const ids = catalogue.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)+$/);
  });

  it('is listed in the manual', () => {
    const manual = readFileSync(new URL('../../docs/manual/audit.md', import.meta.url), 'utf8');
    expect(catalogue.map(({ id }) => id).filter((id) => !manual.includes(`| \`${id}\` |`))).toEqual([]);
  });

  it('has the groups in order, each with a case', () => {
    expect([...new Set(catalogue.map(({ group }) => group))]).toEqual(groups);
  });

  it('tells at least 45 faults, and says of every other one why not', () => {
    const told = new Set(catalogue.flatMap(({ faults }) => faults));
    expect(told.size).toBeGreaterThanOrEqual(45);
    const all = Array.from({ length: faultCount }, (_, i) => i + 1);
    expect(all.filter((fault) => !told.has(fault))).toEqual(Object.keys(untold).map(Number));
  });

  it('says of each case what is right, who says so, what follows and what to change', () => {
    for (const { right, standard, consequence, mend, sent } of catalogue) {
      for (const text of [right, standard, consequence, mend, sent]) expect(text).toMatch(/\S{2}/);
      expect(standard).toMatch(/RFC \d+/);
    }
  });
});
