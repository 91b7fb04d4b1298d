import { describe, expect, it } from 'vitest';
import { compileRules } from '../policy/rules.js';
import { ByGeneration, GENERATIONS, RuleBook, workOf } from './rule-book.js';

const work = (...actions: ('relay' | 'handle' | 'forward')[]) =>
  workOf(compileRules(actions.map((action, i) => ({ ports: [i + 1], action }))));

describe('the work of a rule', () => {
  it('is that of its own generation', () => {
    const book = new RuleBook(() => {});
    book.set(1, work('relay', 'handle', 'forward'));
    book.set(2, work('handle'));
    expect([0, 1, 2].map((rule) => book.get(1, rule).action)).toEqual(['relay', 'handle', 'forward']);
    expect(book.get(2, 0).action).toBe('handle');
  });

  it('is forwarding for a rule or a generation that is not there', () => {
    const book = new RuleBook(() => {});
    book.set(7, work('relay'));
    expect(book.get(7, 1).action).toBe('forward');
    expect(book.get(8, 0).action).toBe('forward');
  });

  it('is looked for in the messages that wait, when a handshake was faster', () => {
    const book: RuleBook = new RuleBook(() => book.set(3, work('handle')));
    expect(book.get(3, 0).action).toBe('handle');
  });

  it('is one for each rule, however many rows the rule has', () => {
    const rules = compileRules([
      { ports: [80, 443], from: ['192.0.2.0/24', '198.51.100.0/24'] },
      { ports: [22], action: 'handle' },
    ]);
    expect(workOf(rules).map(({ action }) => action)).toEqual(['relay', 'handle']);
  });
});

describe('rows by generation', () => {
  it('are forgotten, not mistaken, after many reloads', () => {
    const rows = new ByGeneration<number>();
    for (let i = 1; i <= GENERATIONS + 3; i++) rows.set(i, i);
    expect(rows.get(3)).toBe(undefined);
    expect(rows.get(4)).toBe(4);
  });

  it('are found by the lower 16 bits', () => {
    const rows = new ByGeneration<string>();
    rows.set(0x1fffe, 'a');
    rows.set(0x1ffff, 'b');
    expect([rows.get(0xfffe), rows.get(0xffff)]).toEqual(['a', 'b']);
  });
});
