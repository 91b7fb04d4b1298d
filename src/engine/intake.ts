/** What the tracker holds comes in here, is put to the decision, and goes on: into two sockets, or as it was. */
import { mapLookup } from '../kernel/bpf.js';
import { read, write } from '../kernel/socket.js';
import type { Seen } from '../peek/peek.js';
import { decideByNames, type Then } from '../policy/clauses.js';
import { Flag, SegmentView } from '../wire/view.js';
import { HeldCandidate } from './candidate.js';
import type { CatchingUp } from './catching-up.js';
import { type Candidate, checkDecision, type Decision } from './decision.js';
import type { FlowTable } from './flow-table.js';
import { HeldPeek } from './held-peek.js';
import {
  HANDSHAKE_BYTES,
  HANDSHAKE_MADE,
  HANDSHAKE_STATE,
  KEY_BYTES,
  State,
  type WorkerCounter,
} from './layout.js';
import type { FromWorker } from './messages.js';
import { fillKey } from './packet-key.js';
import type { Peeking } from './peeking.js';
import { HoldBudget, Pending } from './pending.js';
import type { Releasing } from './releasing.js';
import type { RuleBook } from './rule-book.js';
import type { Settling } from './settling.js';
import { isStillHeld } from './still-held.js';
import { Identity, type Side, type TakenFlow } from './taken.js';

const PACKET = 65536;
/** Packets read in one go, so that what waits for one decision is put to it together. */
const BATCH = 256;
/** So many of them empty a TUN's queue (10,000 packets). */
const MOST_BATCHES = 40;

/** An end sends its first flight (RFC 6928) without waiting for an answer: what does not come now, waits for one. */
const FIRST_FLIGHT_MS = 10;

/** A decision inside the worker: at once. */
export type DecideHere = (candidate: Candidate) => Decision;

export class Intake {
  readonly #view = new SegmentView();
  readonly #buffer = new Uint8Array(PACKET);
  readonly #key = Buffer.alloc(KEY_BYTES);
  readonly #handshake = new Uint8Array(HANDSHAKE_BYTES);
  readonly #pending = new Map<string, Pending>();
  readonly #byId = new Map<number, Pending>();
  readonly #fresh: Pending[] = [];
  /** What is looked at, and until when the rest of its first flight may come. */
  readonly #looking = new Map<Pending, number>();
  readonly #budget = new HoldBudget();
  #nextId = 0;
  #source: number;
  draining = false;

  constructor(
    readonly tun: number,
    readonly table: FlowTable,
    readonly catchingUp: CatchingUp,
    readonly releasing: Releasing,
    readonly peeking: Peeking,
    readonly settling: Settling,
    readonly rules: RuleBook,
    readonly decide: 'none' | 'main' | DecideHere,
    readonly post: (message: FromWorker) => void,
    readonly onSeen: (identity: Identity, seen: Seen, then: Then) => void,
    /** How long the main thread may take to decide, in milliseconds. */
    readonly decideTimeoutMs: number,
    /** Tells the tracker that we live, which many connections at once may keep from waiting for the next turn. */
    readonly beat: () => void,
  ) {
    this.#source = tun;
  }

  /** What another engine has left in its TUN device is taken as if it had come by ours. */
  takeFrom(tun: number, now: number): void {
    this.#source = tun;
    for (let batch = 0; batch < MOST_BATCHES && !this.#read(BATCH); batch++) this.#considerAll(now);
    this.#source = this.tun;
    this.#considerAll(now);
  }

  /** Reads up to `most` packets that the tracker has redirected, and decides on what is new. */
  readHeld(now: number, most = BATCH): void {
    this.#read(most);
    this.#considerAll(now);
    // What came meanwhile for a flow that was just taken has to go before what its sockets get by themselves.
    while (this.catchingUp.any) {
      const empty = this.#read(BATCH);
      this.beat();
      this.catchingUp.settle(empty);
      this.#considerAll(now);
      if (!empty) return;
    }
  }

  /** Returns true when there was nothing left to read. */
  #read(most: number): boolean {
    for (let i = 0; i < most; i++) {
      const length = read(this.#source, this.#buffer, PACKET);
      if (length <= 0) return true;
      this.#accept(length);
    }
    return false;
  }

  #considerAll(now: number): void {
    for (const pending of this.#fresh) {
      this.#consider(pending, now);
      this.beat();
    }
    this.#fresh.length = 0;
  }

  #accept(length: number): void {
    const view = this.#view;
    if (!view.parse(this.#buffer, length)) {
      this.#reinject(this.#buffer, length);
      return;
    }
    const key = fillKey(this.#key, view);
    const flow = this.table.byKey.get(key);
    if (flow) {
      flow.read++;
      if ((view.flags & (Flag.SYN | Flag.ACK)) === Flag.SYN && isOver(flow)) {
        flow.heldSyns ??= [];
        flow.heldSyns.push(this.#copy(length));
      } else if (flow.held) this.releasing.onHeld(flow, view, this.#buffer, length);
      else {
        this.#reinject(this.#buffer, length);
        // What the tracker has sent here since the takeover (CATCHING_UP): more of it may follow.
        this.catchingUp.goOn(flow);
      }
      return;
    }
    const waiting = this.#pending.get(key);
    if (waiting) {
      waiting.read++;
      const packet = this.#copy(length);
      // A batch is bounded by itself; only what waits for the main thread can grow.
      if (this.decide !== 'main' || view.flags & Flag.RST) this.#budget.keep(waiting, packet);
      else this.#budget.hold(waiting, packet);
      if (view.flags & Flag.RST && waiting.due) this.#forward(waiting, 'endedInHold');
      else if (waiting.look) this.#fresh.push(waiting);
      return;
    }
    const found = mapLookup(this.table.maps.handshakes, this.#key, this.#handshake);
    if (
      found < 0 ||
      this.#handshake[HANDSHAKE_STATE] !== State.HELD ||
      this.#handshake[HANDSHAKE_MADE] !== 0
    ) {
      this.#reinject(this.#buffer, length);
      return;
    }
    // Its end would drop it, too; what is decided on, and passed on by hand, must be what was sent.
    if (!view.checksumIsRight(this.#buffer)) return;
    const pending = new Pending(++this.#nextId, key, new Identity(this.#key, this.#handshake));
    const packet = this.#copy(length);
    if (!this.#budget.hold(pending, packet)) {
      this.#budget.keep(pending, packet);
      this.#forward(pending, 'tableFull');
      return;
    }
    this.#pending.set(key, pending);
    this.#fresh.push(pending);
  }

  /** From node's pool: an ArrayBuffer for each packet would cost more than the copy. */
  #copy(length: number): Uint8Array {
    const packet = Buffer.allocUnsafe(length);
    packet.set(this.#buffer.subarray(0, length));
    return packet;
  }

  #consider(pending: Pending, now: number): void {
    if (this.#pending.get(pending.keyString) !== pending || pending.due) return;
    if (this.draining) {
      this.#forward(pending, 'decided');
      return;
    }
    for (const packet of pending.packets) {
      this.#view.parse(packet, packet.length);
      if (this.#view.flags & Flag.RST) {
        this.#forward(pending, 'endedInHold');
        return;
      }
    }
    if (this.decide === 'none') {
      this.#byRule(pending, now);
      return;
    }
    const candidate = new HeldCandidate(pending.identity, pending.packets[0] as Uint8Array);
    if (this.decide === 'main') {
      pending.due = now + this.decideTimeoutMs;
      this.#byId.set(pending.id, pending);
      this.post({ type: 'candidate', id: pending.id, ...candidate.whole() });
      return;
    }
    try {
      this.settle(pending, checkDecision(this.decide(candidate)));
    } catch (error) {
      this.post({
        type: 'log',
        level: 'error',
        event: 'decideFailed',
        message: `decide threw, the flow is forwarded: ${String(error)}`,
      });
      this.#forward(pending, 'failed');
    }
  }

  #byRule(pending: Pending, now: number): void {
    const { identity, packets } = pending;
    const { action, peek, release } = this.rules.get(identity.rules, identity.rule);
    // For rules that it does not know yet it reads the mail, which may have ended this wait.
    if (this.#pending.get(pending.keyString) !== pending) return;
    if (action !== 'peek' || !peek) {
      pending.release = release;
      this.settle(pending, action === 'peek' ? 'forward' : action);
      return;
    }
    if (!pending.look) {
      this.#view.parse(packets[0] as Uint8Array, (packets[0] as Uint8Array).length);
      pending.look = new HeldPeek(identity, this.#view);
      this.#looking.set(pending, now + FIRST_FLIGHT_MS);
    }
    const seen = pending.look.read(packets.slice(pending.looked), this.#view);
    pending.looked = packets.length;
    if (seen === 'more') return;
    const then = decideByNames(peek, seen);
    this.onSeen(identity, seen, then);
    pending.seen = seen;
    pending.release = then.release;
    pending.module = then.module;
    this.settle(pending, then.action === 'release' ? 'forward' : then.action);
  }

  /** Milliseconds until a decision, or a first flight, is late; -1: none is out. */
  nextDue(now: number): number {
    if (this.#byId.size === 0 && this.#looking.size === 0) return -1;
    const [decision] = this.#byId.values();
    const [flight] = this.#looking.values();
    const due = Math.min(decision?.due ?? Infinity, flight ?? Infinity);
    return due === Infinity ? -1 : Math.max(0, due - now);
  }

  /** Sees to what has waited too long. The maps' order is that in which the waits began. */
  expire(now: number): void {
    if (this.#looking.size > 0) this.#expireLooks(now);
    if (this.#byId.size === 0) return;
    for (const pending of this.#byId.values()) {
      if (pending.due > now) return;
      const message = `decide took more than ${this.decideTimeoutMs} ms, the flow is forwarded`;
      this.post({ type: 'log', level: 'warn', event: 'decideTimeout', message });
      this.#forward(pending, 'failed');
    }
  }

  #expireLooks(now: number): void {
    for (const [pending, due] of this.#looking) {
      if (due > now) return;
      this.#lookOn(pending, now);
    }
  }

  /** The main thread's answer. A connection that ended meanwhile is no longer here. */
  onDecision(id: number, decision: Decision): void {
    const pending = this.#byId.get(id);
    if (pending && this.#pending.has(pending.keyString)) {
      if (decision === 'forward' || isStillHeld(this.table.maps.handshakes, pending.identity))
        this.settle(pending, decision);
      else this.#forward(pending, 'endedInHold');
    }
    this.#byId.delete(id);
  }

  /** A first flight that came whole has told nothing by now: the sockets are made, so that more can come. */
  #lookOn(pending: Pending, now: number): void {
    const { peek } = this.rules.get(pending.identity.rules, pending.identity.rule);
    const from = pending.look?.from as Side;
    this.#forget(pending);
    if (!peek) this.settling.forward(pending, 'decided');
    else this.settling.take(pending, 'peek', (flow) => this.peeking.begin(flow, from, peek, now));
  }

  settle(pending: Pending, decision: Decision): void {
    this.#forget(pending);
    if (decision === 'forward') this.settling.forward(pending, 'decided');
    else this.settling.take(pending, decision);
  }

  #forward(pending: Pending, why: WorkerCounter): void {
    this.#forget(pending);
    this.settling.forward(pending, why);
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending.keyString);
    this.#byId.delete(pending.id);
    this.#looking.delete(pending);
    this.#budget.release(pending);
  }

  #reinject(packet: Uint8Array, length: number): void {
    write(this.tun, packet, length);
  }

  /** Forwards all that still waits for a decision. */
  forwardAll(): void {
    for (const pending of [...this.#pending.values()]) this.#forward(pending, 'decided');
  }
}

/** Both ends have said their last word: a SYN with these ports is a new connection. */
function isOver(flow: TakenFlow): boolean {
  return (
    flow.finished ||
    (flow.directions[0].finSent && flow.directions[1].finSent) ||
    flow.orphaned.every(Boolean)
  );
}
