import { describe, expect, it } from 'vitest';
import { GENERATIONS, RuleActions } from './rule-actions.js';

describe('the actions of a generation', () => {
  it('are seen through the shared memory, beside those of others', () => {
    const written = new RuleActions();
    const read = new RuleActions(written.shared);
    written.set(1, ['relay', 'handle', 'forward']);
    written.set(2, ['handle']);
    expect([0, 1, 2].map((rule) => read.get(1, rule))).toEqual(['relay', 'handle', 'forward']);
    expect(read.get(2, 0)).toBe('handle');
  });

  it('are forward for a rule or a generation that is not there', () => {
    const actions = new RuleActions();
    actions.set(7, ['relay']);
    expect(actions.get(7, 1)).toBe('forward');
    expect(actions.get(8, 0)).toBe('forward');
  });

  it('are forgotten, not mistaken, after many reloads', () => {
    const actions = new RuleActions();
    for (let i = 1; i <= GENERATIONS + 3; i++) actions.set(i, ['relay', 'handle', 'relay']);
    expect(actions.get(3, 0)).toBe('forward');
    expect(actions.get(4, 1)).toBe('handle');
  });

  it('have room for 256 rules, and a generation of more than 16 bits', () => {
    const actions = new RuleActions();
    actions.set(0x1fffe, Array(256).fill('handle'));
    actions.set(0x1ffff, Array(256).fill('relay'));
    expect(actions.get(0xfffe, 255)).toBe('handle');
    expect(actions.get(0xffff, 0)).toBe('relay');
  });
});
