/**
 * The takeover: two sockets that carry on where the two ends are. Nothing is sent here; until the flow's entry is
 * written into the map, giving up means closing the sockets, silently.
 */

import { Has } from './layout.js';
import { CLIENT, type Identity, SERVER, type Side } from './taken.js';
import { discard, makeByRepair } from './takeover-repair.js';
import type { RequestSockets } from './takeover-request.js';

/** ECN was agreed on and only TCP_REPAIR is left, which forgets it: a reason to forward, not a failure. */
export class EcnLost extends Error {}

export interface Made {
  /** Facing the client, facing the server. */
  fds: [number, number];
  /** Which were made by a request sock: these have TCP_NODELAY, and the tracker knows of them. */
  byRequest: [boolean, boolean];
}

export class Takeover {
  /** `request` null: this kernel has TCP_REPAIR only. */
  constructor(readonly request: RequestSockets | null) {}

  /**
   * `taken[x]` counts bytes of end x that are to be passed on by hand: the sockets start behind them. Throws
   * KernelError or EcnLost, with nothing left open.
   */
  make(identity: Identity, taken: readonly [number, number]): Made {
    const made: Made = { fds: [-1, -1], byRequest: [false, false] };
    // The one that faces the server first: its peer's answer is what the client waits for.
    this.#makeOne(made, identity, SERVER, taken);
    try {
      this.#makeOne(made, identity, CLIENT, taken);
    } catch (error) {
      discard(made.fds[SERVER]);
      throw error;
    }
    return made;
  }

  #makeOne(made: Made, identity: Identity, side: Side, taken: readonly [number, number]): void {
    const fd = this.request ? this.request.make(identity, side, taken[side]) : -1;
    if (fd < 0 && identity.sides[CLIENT].has & identity.sides[SERVER].has & Has.ECN) throw new EcnLost();
    made.byRequest[side] = fd >= 0;
    made.fds[side] = fd >= 0 ? fd : makeByRepair(identity, side, taken);
  }
}
