/**
 * The takeover: two sockets that carry on where the two ends are. Nothing is sent here; until the flow's entry is
 * written into the map, giving up means closing the sockets, silently.
 */

import type { SpareDescriptors } from '../kernel/spare_descriptors.js';
import { Has } from './layout.js';
import type { Identity, Side, TakenFlow } from './taken.js';
import { makeByRepair } from './takeover-repair.js';
import type { RequestSockets } from './takeover-request.js';

/** ECN was agreed on and only TCP_REPAIR is left, which forgets it: a reason to forward, not a failure. */
export class EcnLost extends Error {}

/** While we were too slow for the tracker, it has begun to forward the connection: too late to step between. */
export class Overtaken extends Error {}

export class Takeover {
  /** `request` null: this kernel has TCP_REPAIR only. */
  constructor(
    readonly request: RequestSockets | null,
    /** Whether the tracker still holds what the ends of this connection say. */
    readonly isHeld: (identity: Identity) => boolean,
    /** Enough for all that a flow needs at once. */
    readonly spare: SpareDescriptors,
    /** Whether there is what its bytes need on their way. */
    readonly hasPipes: () => boolean = () => true,
  ) {}

  /** False: a flow might get some of its descriptors and not the others. */
  get ready(): boolean {
    return this.spare.ready && this.hasPipes();
  }

  /**
   * Makes the socket that faces `side`. `taken[x]` counts bytes of end x that are to be passed on by hand: the sockets
   * start behind them. Returns whether it was made by a request sock: it then has TCP_NODELAY, and the tracker knows of
   * it. Throws KernelError, EcnLost or Overtaken, with nothing left open.
   */
  make(flow: TakenFlow, side: Side, taken: readonly [number, number]): boolean {
    const { identity } = flow;
    const fd = this.request ? this.request.make(identity, side, taken[side]) : -1;
    // The tracker makes no request sock for one that it has forwarded.
    if (fd < 0 && !this.isHeld(identity)) throw new Overtaken();
    if (fd < 0 && identity.agreed & Has.ECN) throw new EcnLost();
    flow.fds[side] = fd >= 0 ? fd : this.spare.retry(() => makeByRepair(identity, side, taken));
    return fd >= 0;
  }
}
