import { expect, it } from 'vitest';
import { leftOut, needs } from './box.js';
import { boxes } from './index.js';

it('names what is not installed, and the package that has it', () => {
  const missing = needs({ sh: 'dash', 'no-such-program': 'a-package' })();
  expect(missing).toContain('no-such-program');
  expect(missing).toContain('a-package');
  expect(needs({ sh: 'dash' })()).toBe('');
});

it('says for which family a box is not there, before it looks for its programs', () => {
  const redsocks = boxes.find(({ name }) => name === 'redsocks');
  if (!redsocks) throw new Error('there is no redsocks');
  expect(leftOut({ ...redsocks, missing: () => 'not installed' }, 6)).toMatch(/IPv6/);
  expect(leftOut({ ...redsocks, missing: () => 'not installed' }, 4)).toBe('not installed');
});

it('has each name once', () => {
  const names = boxes.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
