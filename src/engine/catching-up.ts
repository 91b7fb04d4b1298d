/**
 * Flows whose held segments may not all be delivered. Until they are, the tracker goes on holding, so that nothing overtakes
 * them: into the sockets after a takeover, to the other end after a release.
 */
import type { FlowTable } from './flow-table.js';
import type { TakenFlow } from './taken.js';

/** So many batches later, all that was in the TUN's queue (10,000 packets) has been read, or was dropped there. */
const MOST_READS = 40;
/** One that leaves the queue empty says more; a packet may have been counted that is not quite in it. */
const EMPTY_COUNTS = 5;

/** How far behind we were at the looks since it began. */
interface Lag {
  reads: number;
  /** Segments that were counted and not read, at least: those did not come, and never will. */
  least: number;
}

export class CatchingUp {
  readonly #lags = new Map<TakenFlow, Lag>();

  constructor(readonly table: FlowTable) {}

  get any(): boolean {
    return this.#lags.size > 0;
  }

  has(flow: TakenFlow): boolean {
    return this.#lags.has(flow);
  }

  /** What was held for the flow was written just now; more may have come meanwhile. */
  begin(flow: TakenFlow): void {
    this.#lags.set(flow, { reads: 0, least: Infinity });
  }

  /** A segment of the flow was held, and has been passed on: more of them may follow. */
  goOn(flow: TakenFlow): void {
    if (!this.#lags.has(flow)) this.begin(flow);
  }

  /** A batch was read; `empty`: to the last packet that was there. */
  settle(empty: boolean): void {
    for (const [flow, lag] of this.#lags) {
      const lacking = this.table.caughtUp(flow);
      if (lacking === 0) {
        this.#lags.delete(flow);
        continue;
      }
      lag.least = Math.min(lag.least, lacking);
      lag.reads += empty ? EMPTY_COUNTS : 1;
      if (lag.reads < MOST_READS) continue;
      flow.read = (flow.read + lag.least) >>> 0;
      this.begin(flow);
    }
  }
}
