/** A worker whose flows are on offer to a new engine: it stops, so that nothing of theirs moves, until it is told how that ended. */

import type { Epoll } from '../../kernel/epoll.js';
import { write } from '../../kernel/socket.js';
import type { CatchingUp } from '../catching-up.js';
import { monotonic } from '../clock.js';
import { Counters } from '../counters.js';
import type { DirectData } from '../direct.js';
import type { FlowTable } from '../flow-table.js';
import type { Intake } from '../intake.js';
import { openKept } from '../keep/adoption.js';
import { SlotState } from '../keep/table.js';
import { KeptFlows } from '../keep/writer.js';
import { Live } from '../layout.js';
import type { Peeking } from '../peeking.js';
import { pipes } from '../relay.js';
import type { Releasing } from '../releasing.js';
import { CLIENT, SERVER, type TakenFlow } from '../taken.js';
import { faultPoint } from './fault.js';

const MOST_READS = 100;
const REFUSAL = 'a new engine is taking over';

export interface FrozenPart {
  used: number;
  generation: number;
  /** Keys, in hexadecimal. */
  staying: string[];
  at: number;
}

export class Freezing {
  /** While it is set, the worker does nothing but read its mail. */
  frozen = false;
  #moving: TakenFlow[] = [];

  constructor(
    readonly table: FlowTable,
    readonly epoll: Epoll,
    readonly intake: Intake,
    readonly catchingUp: CatchingUp,
    readonly releasing: Releasing,
    readonly peeking: Peeking,
    readonly direct: DirectData,
  ) {}

  /**
   * Brings every flow into a state that its descriptors tell, and writes it down in the table `memfd`; null: it is written
   * down already, since this engine keeps.
   */
  freeze(memfd: number | null): FrozenPart {
    const { table } = this;
    const at = Number(process.hrtime.bigint());
    faultPoint('oldFreezing');
    this.releasing.refuse(REFUSAL);
    // More may come all the while: what is left then stays here.
    for (let i = 0; i === 0 || (this.catchingUp.any && i < MOST_READS); i++)
      this.intake.readHeld(monotonic());
    this.intake.forwardAll();
    this.peeking.stop('relay');
    this.direct.acknowledge(Infinity);
    table.reap();
    const kept = memfd === null ? table.kept : new KeptFlows(openKept(memfd), table.worker);
    if (!kept) throw new Error('there is no table to write flows down in');
    if (!table.kept) {
      new Counters(kept.table.buffer, kept.table.counters(table.worker)).addAll(table.counters);
    }
    this.#moving = [];
    for (const flow of [...table.byKey.values()]) {
      if (!isWhole(flow) || flow.index >= kept.table.slots) this.#stay(flow);
      else {
        if (!flow.kept) kept.write(flow, SlotState.RELAY);
        this.#moving.push(flow);
      }
    }
    table.reap();
    this.frozen = true;
    const { used, generation } = table;
    const moving = new Set(this.#moving);
    const staying = [...table.byKey.values()].filter((flow) => !moving.has(flow));
    const keys = staying.map(({ identity }) => Buffer.from(identity.key).toString('hex'));
    return { used, generation, staying: keys, at };
  }

  /** Neither is it written down, nor may the tracker name it to the new engine. */
  #stay(flow: TakenFlow): void {
    flow.kept?.mark(flow, true);
    if (flow.left || flow.finished) return;
    this.table.entry.change(flow.identity, Live.CATCHING_UP | Live.RELEASING | Live.MAY_PART, Live.SIDES);
    if (this.table.entry.parted) this.table.part(flow);
  }

  /** All goes on here. What has happened meanwhile is still to be heard from epoll, but for what the tracker has ended. */
  thaw(): void {
    for (const flow of this.table.byKey.values()) flow.kept?.mark(flow, false);
    for (const flow of this.#moving) {
      if (flow.finished) continue;
      this.table.entry.change(flow.identity, 0, 0);
      if (this.table.entry.parted) this.table.part(flow);
    }
    this.#moving = [];
    this.releasing.refuse(null);
    this.frozen = false;
  }

  /** The new engine goes on with them, and decides on what it finds in our TUN, which we may read, too. The rest stays here until it
   *  ends, and is not released: what would be held for that is held for the new engine. Returns how many have gone. */
  leave(): number {
    this.intake.draining = true;
    const moved = this.#moving.filter(({ finished }) => !finished);
    for (const flow of moved) {
      for (const fd of flow.fds) this.#forget(fd);
      this.table.drop(flow);
    }
    this.#moving = [];
    this.frozen = false;
    return moved.length;
  }

  /** The other copy of a descriptor would keep the socket in our epoll, too. */
  #forget(fd: number): void {
    try {
      this.epoll.remove(fd);
    } catch {
      // It was not watched.
    }
  }
}

/** True when its two sockets and pipes are all that there is of it. */
function isWhole(flow: TakenFlow): boolean {
  if (flow.state !== 'relay' || flow.finished || flow.left || flow.heldSyns || flow.resetFrom !== -1)
    return false;
  if (flow.fds[CLIENT] < 0 || flow.fds[SERVER] < 0) return false;
  return ([CLIENT, SERVER] as const).every((from) => {
    const direction = flow.directions[from];
    const { pending } = direction;
    if (!pending) return true;
    // The mark would be lost in a pipe.
    if (direction.pendingUrgent) return false;
    if (!direction.pipe) {
      direction.pipe = pipes.take();
      if (!direction.pipe) return false;
      flow.kept?.pipe(flow, from);
    }
    const n = Math.max(0, write(direction.pipe.writeEnd, pending, pending.length));
    direction.queued += n;
    direction.pending = n === pending.length ? null : pending.subarray(n);
    if (direction.pending) return false;
    flow.kept?.settle(flow);
    return true;
  });
}
