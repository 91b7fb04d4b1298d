import { describe, expect, it } from 'vitest';
import { BusyPoll } from './busy-poll.js';

/** A clock on which each look takes a microsecond, and events `gap` microseconds behind the last one. */
class Arrivals {
  time = 0;
  gap = 10;
  #next = 0;
  /** Time-outs of the looks that would have slept. */
  readonly slept: number[] = [];

  readonly now = (): number => this.time / 1000;
  readonly look = (timeout: number): number => {
    this.time += 1;
    if (timeout > 0 && this.time < this.#next) {
      this.slept.push(timeout);
      this.time = Math.min(this.#next, this.time + timeout * 1000);
    }
    return this.time >= this.#next ? 1 : 0;
  };
  take(poll: BusyPoll, timeout = 200): number {
    this.#next = this.time + this.gap;
    return poll.wait(timeout);
  }
}

function polledFor(us: number | null, gaps: readonly number[]) {
  const arrivals = new Arrivals();
  const poll = new BusyPoll(arrivals.look, us, arrivals.now);
  for (const gap of gaps) {
    arrivals.gap = gap;
    arrivals.take(poll);
  }
  arrivals.slept.length = 0;
  return { arrivals, poll };
}
const times = (count: number, gap: number): number[] => Array.from({ length: count }, () => gap);

describe('waiting for events', () => {
  it('sleeps until events have come on each other’s heels for a while', () => {
    const { arrivals, poll } = polledFor(null, times(7, 30));
    arrivals.take(poll);
    expect(arrivals.slept).toEqual([200]);
    arrivals.take(poll);
    expect(arrivals.slept).toEqual([200]);
  });

  it('stays awake for a moment only, and sleeps again behind one long wait', () => {
    const { arrivals, poll } = polledFor(null, times(20, 30));
    arrivals.gap = 5000;
    expect(arrivals.take(poll)).toBe(1);
    expect(arrivals.slept).toEqual([200]);
    arrivals.gap = 10;
    arrivals.take(poll);
    expect(arrivals.slept).toEqual([200, 200]);
  });

  it('sleeps behind what is not in a hurry, however soon the next comes', () => {
    const { arrivals, poll } = polledFor(null, times(20, 30));
    poll.relax();
    arrivals.take(poll);
    expect(arrivals.slept).toEqual([200]);
  });

  it('never stays awake where waits are longer', () => {
    const { arrivals, poll } = polledFor(null, times(50, 60));
    arrivals.take(poll);
    expect(arrivals.slept).toEqual([200]);
  });

  it('stays awake for as long as it is told', () => {
    const { arrivals, poll } = polledFor(3000, []);
    arrivals.gap = 2500;
    expect(arrivals.take(poll)).toBe(1);
    expect(arrivals.slept).toEqual([]);
    arrivals.gap = 4000;
    expect(arrivals.take(poll)).toBe(1);
    expect(arrivals.slept).toEqual([200]);
  });

  it('never stays awake when it is told to', () => {
    const { arrivals, poll } = polledFor(0, times(50, 10));
    arrivals.take(poll);
    expect(arrivals.slept).toEqual([200]);
  });

  it('does not stay awake beyond its time', () => {
    const { arrivals, poll } = polledFor(100_000, []);
    arrivals.gap = 50_000;
    expect(arrivals.take(poll, 1)).toBe(0);
    expect(arrivals.time).toBeLessThan(3000);
  });

  it('only looks when there is something else to do', () => {
    const { arrivals, poll } = polledFor(1000, []);
    expect(arrivals.take(poll, 0)).toBe(0);
    expect(arrivals.time).toBe(1);
  });
});
