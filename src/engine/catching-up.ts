/**
 * Flows whose held segments may not all be delivered. Until they are, the tracker goes on holding, so that nothing overtakes
 * them: into the sockets after a takeover, to the other end after a release.
 */
import type { FlowTable } from './flow-table.js';
import type { TakenFlow } from './taken.js';

/**
 * So many batches later, all that was in the TUN's queue (10,000 packets) has been read, or was dropped there; and of a busy flow
 * there will always be more.
 */
const MOST_READS = 40;
/** One that leaves the queue empty says more; what has been counted may not be quite in it. */
const EMPTY_COUNTS = 5;

export class CatchingUp {
  /** How many batches were read since. */
  readonly #reads = new Map<TakenFlow, number>();

  constructor(readonly table: FlowTable) {}

  get any(): boolean {
    return this.#reads.size > 0;
  }

  has(flow: TakenFlow): boolean {
    return this.#reads.has(flow);
  }

  /** What was held for the flow was written just now; more may have come meanwhile. */
  begin(flow: TakenFlow): void {
    this.#reads.set(flow, 0);
  }

  /** A segment of the flow was held, and has been passed on: more of them may follow. */
  goOn(flow: TakenFlow): void {
    if (!this.#reads.has(flow)) this.begin(flow);
  }

  /** A batch was read; `empty`: to the last packet that was there. */
  settle(empty: boolean): void {
    for (const [flow, before] of this.#reads) {
      const reads = before + (empty ? EMPTY_COUNTS : 1);
      if (this.table.caughtUp(flow, reads >= MOST_READS)) this.#reads.delete(flow);
      else this.#reads.set(flow, reads);
    }
  }
}
