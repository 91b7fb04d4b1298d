/** Which relayed flows are to be released by themselves: after so many bytes, after so long without any, or at once. */
import type { Release } from '../policy/release.js';
import { monotonic } from './clock.js';
import { Deadlines } from './deadlines.js';
import type { Releasing } from './releasing.js';
import type { TakenFlow } from './taken.js';

/** How long one attempt may take. */
const WITHIN_MS = 5000;
/** A flow that was refused is tried again after so long, then after twice as long, up to the longest. */
const AGAIN_MS = 1000;
const LONGEST_MS = 60_000;

export class ReleasePolicy {
  readonly #due = new Deadlines<TakenFlow>();

  constructor(readonly releasing: Releasing) {}

  watch(flow: TakenFlow, release: Release | null, now: number): void {
    if (!release) return;
    flow.releaseAfter = release.after ?? Infinity;
    flow.active = now;
    if (release.idleMs === null) return;
    flow.idleMs = release.idleMs;
    this.#due.add(now + release.idleMs, flow);
  }

  /** It has carried its bytes, or was only taken to be looked at. */
  release(flow: TakenFlow, now: number, pause = AGAIN_MS): void {
    flow.releaseAfter = Infinity;
    this.releasing.begin(flow, now, now + WITHIN_MS, ({ result }) => {
      if (result !== 'refused' || flow.finished) return;
      flow.retryPause = pause;
      this.#due.add(monotonic() + pause, flow);
    });
  }

  /** Milliseconds until there is something to do; -1: nothing. */
  nextDue(now: number): number {
    return this.#due.size === 0 ? -1 : Math.max(0, this.#due.next - now);
  }

  settle(now: number): void {
    for (let flow = this.#due.take(now); flow; flow = this.#due.take(now)) {
      if (flow.finished || flow.left || flow.held) continue;
      if (flow.retryPause > 0) this.release(flow, now, Math.min(2 * flow.retryPause, LONGEST_MS));
      else if (now - flow.active >= flow.idleMs) this.release(flow, now);
      else this.#due.add(flow.active + flow.idleMs, flow);
    }
  }
}
