/** A connection that waits for its decision, and how much of it, and of all of them, may wait. */
import type { Seen } from '../peek/seen.js';
import type { Release } from '../policy/release.js';
import type { HeldPeek } from './held-peek.js';
import type { Identity } from './taken.js';

/** For one connection. What is beyond is dropped: its sender, who has no acknowledgement, sends it again. */
export const HELD_PACKETS = 64;
export const HELD_BYTES = 256 * 1024;
/** For all connections of a worker. */
export const HELD_TOTAL = 64 * 1024 * 1024;
/** What keeping a packet costs besides its bytes. */
const OVERHEAD = 256;

export class Pending {
  readonly packets: Uint8Array[] = [];
  /** Segments that were read, also those that were dropped. */
  read = 1;
  /** What `packets` cost in memory. */
  cost = 0;
  /** Its first bytes are being looked at: so many of its packets so far. */
  look: HeldPeek | null = null;
  looked = 0;
  /** What was seen, and was decided by that. */
  seen: Seen | null = null;
  module: string | null = null;
  release: Release | null = null;
  /** The decision is out, until then: a time of the worker's clock. 0: not asked yet. */
  due = 0;

  constructor(
    readonly id: number,
    readonly keyString: string,
    readonly identity: Identity,
  ) {}
}

export class HoldBudget {
  /** What all that is held costs now. */
  used = 0;

  constructor(readonly total = HELD_TOTAL) {}

  /** Keeps a packet, or returns false when that would be too much. */
  hold(pending: Pending, packet: Uint8Array): boolean {
    const cost = packet.length + OVERHEAD;
    if (pending.packets.length >= HELD_PACKETS || pending.cost + cost > HELD_BYTES) return false;
    if (this.used + cost > this.total) return false;
    this.keep(pending, packet);
    return true;
  }

  /** Keeps a packet, however much there is. */
  keep(pending: Pending, packet: Uint8Array): void {
    const cost = packet.length + OVERHEAD;
    pending.packets.push(packet);
    pending.cost += cost;
    this.used += cost;
  }

  /** The connection no longer waits. */
  release(pending: Pending): void {
    this.used -= pending.cost;
    pending.cost = 0;
  }
}
