/**
 * Resets that wait for the bytes before them. With plain forwarding a reset follows what its sender had in flight, and what
 * the other end's window kept back never leaves the sender. So it waits here while the other end goes on acknowledging,
 * and no longer.
 */
import { unacknowledged } from '../kernel/socket.js';
import { roundTripMs } from '../kernel/tcp_info.js';
import type { FlowTable } from './flow-table.js';
import { pump } from './relay.js';
import { CLIENT, SERVER, type Side, type TakenFlow } from './taken.js';

/** At least so long without an acknowledgement: a retransmission timer of Linux is no shorter (TCP_RTO_MIN). */
const STALL_MS = 200;
/** The longest wait, for an end that acknowledges drop by drop. */
const PATIENCE_MS = 30_000;

interface Wait {
  deadline: number;
  /** Bytes that the other end had not acknowledged, and since when. */
  left: number;
  since: number;
}

export class PendingResets {
  readonly #waits = new Map<TakenFlow, Wait>();

  constructor(readonly table: FlowTable) {}

  get waiting(): boolean {
    return this.#waits.size > 0;
  }

  /** The socket that faces `flow.resetFrom` was reset. */
  add(flow: TakenFlow, now: number): void {
    this.#waits.set(flow, { deadline: now + PATIENCE_MS, left: -1, since: now });
    this.#try(flow, now);
  }

  settle(now: number): void {
    for (const flow of this.#waits.keys()) this.#try(flow, now);
  }

  #try(flow: TakenFlow, now: number): void {
    const wait = this.#waits.get(flow) as Wait;
    const from = flow.resetFrom as Side;
    if (flow.finished || this.#isDue(flow, from, wait, now)) {
      this.#waits.delete(flow);
      this.table.abort(flow);
    }
  }

  #isDue(flow: TakenFlow, from: Side, wait: Wait, now: number): boolean {
    const direction = flow.directions[from];
    const before = direction.bytes;
    const drained = pump(flow, from) === 'ended' || direction.finSent;
    this.table.count(from, direction.bytes - before);
    const fd = flow.fds[from === CLIENT ? SERVER : CLIENT];
    const left = unacknowledged(fd);
    if (drained && left === 0) return true;
    if (left !== wait.left || direction.bytes !== before) {
      wait.left = left;
      wait.since = now;
    }
    return now >= wait.deadline || now - wait.since > Math.max(STALL_MS, 2 * roundTripMs(fd));
  }
}
