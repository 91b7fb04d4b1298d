import { describe, expect, it } from 'vitest';
import { HANDSHAKE_BYTES, KEY_BYTES } from './layout.js';
import { HELD_BYTES, HELD_PACKETS, HoldBudget, Pending } from './pending.js';
import { Identity } from './taken.js';

const identity = new Identity(new Uint8Array(KEY_BYTES), new Uint8Array(HANDSHAKE_BYTES));
const pending = () => new Pending(1, '', identity);

/** How many packets of this size are held before the first is refused. */
function held(budget: HoldBudget, size: number, one = pending()): number {
  let n = 0;
  while (budget.hold(one, new Uint8Array(size))) n++;
  return n;
}

describe('one connection', () => {
  it('has so many small packets held', () => {
    expect(held(new HoldBudget(), 60)).toBe(HELD_PACKETS);
  });

  it('has so many bytes held', () => {
    const n = held(new HoldBudget(), 9000);
    expect(n * 9000).toBeLessThanOrEqual(HELD_BYTES);
    expect((n + 1) * (9000 + 256)).toBeGreaterThan(HELD_BYTES);
  });

  it('keeps a reset all the same', () => {
    const budget = new HoldBudget();
    const one = pending();
    held(budget, 60, one);
    budget.keep(one, new Uint8Array(40));
    expect(one.packets).toHaveLength(HELD_PACKETS + 1);
  });
});

it('all connections together have a bound, and give back what they had', () => {
  const budget = new HoldBudget(10 * (100 + 256));
  const first = pending();
  expect(held(budget, 100, first)).toBe(10);
  expect(held(budget, 100)).toBe(0);
  budget.release(first);
  budget.release(first);
  expect(budget.used).toBe(0);
  expect(held(budget, 100)).toBe(10);
});
