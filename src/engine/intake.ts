/** What the tracker holds comes in here, is put to the decision, and goes on: into two sockets, or as it was. */
import { mapLookup } from '../kernel/bpf.js';
import { KernelError } from '../kernel/errors.js';
import { read, write } from '../kernel/socket.js';
import { Flag, SegmentView } from '../wire/view.js';
import { HeldCandidate } from './candidate.js';
import type { Counters } from './counters.js';
import { type Candidate, checkDecision, type Decision } from './decision.js';
import { type DirectData, directData } from './direct.js';
import { type FlowTable, TableFull } from './flow-table.js';
import {
  HANDSHAKE_BYTES,
  HANDSHAKE_MADE,
  HANDSHAKE_STATE,
  KEY_BYTES,
  State,
  type WorkerCounter,
} from './layout.js';
import type { FromWorker } from './messages.js';
import { HoldBudget, Pending } from './pending.js';
import type { Relaying } from './relaying.js';
import type { Releasing } from './releasing.js';
import type { RuleActions } from './rule-actions.js';
import { CLIENT, Identity, SERVER, type TakenFlow } from './taken.js';
import { EcnLost } from './takeover.js';

const PACKET = 65536;
/** Packets read in one go, so that what waits for one decision is put to it together. */
const BATCH = 256;
/** So many batches later, all that was in the TUN's queue (10,000 packets) has been read, or was dropped there. */
const MOST_READS = 40;

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
  /** Flows whose held segments may not all be delivered, and how many batches were read since. */
  readonly #behind = new Map<TakenFlow, number>();
  readonly #budget = new HoldBudget();
  #nextId = 0;
  draining = false;

  constructor(
    readonly tun: number,
    readonly table: FlowTable,
    readonly relaying: Relaying,
    readonly releasing: Releasing,
    readonly direct: DirectData,
    readonly counters: Counters,
    readonly actions: RuleActions,
    readonly decide: 'none' | 'main' | DecideHere,
    readonly post: (message: FromWorker) => void,
    /** How long the main thread may take to decide, in milliseconds. */
    readonly decideTimeoutMs: number,
  ) {}

  /** True while there are flows whose held segments may not all be delivered. */
  get behind(): boolean {
    return this.#behind.size > 0;
  }

  isBehind(flow: TakenFlow): boolean {
    return this.#behind.has(flow);
  }

  /** What was held for the flow was written just now; more may have come meanwhile. */
  catchUp(flow: TakenFlow): void {
    this.#behind.set(flow, 0);
  }

  /** Reads up to `most` packets that the tracker has redirected, and decides on what is new. */
  readHeld(now: number, most = BATCH): void {
    this.#read(most);
    this.#considerAll(now);
    // What came meanwhile for a flow that was just taken has to go before what its sockets get by themselves.
    while (this.#behind.size > 0) {
      const empty = this.#read(BATCH);
      for (const [flow, reads] of this.#behind) {
        if (this.table.caughtUp(flow, empty || reads >= MOST_READS)) this.#behind.delete(flow);
        else this.#behind.set(flow, reads + 1);
      }
      this.#considerAll(now);
      if (!empty) return;
    }
  }

  /** Returns true when there was nothing left to read. */
  #read(most: number): boolean {
    for (let i = 0; i < most; i++) {
      const length = read(this.tun, this.#buffer, PACKET);
      if (length <= 0) return true;
      this.#accept(length);
    }
    return false;
  }

  #considerAll(now: number): void {
    for (const pending of this.#fresh) this.#consider(pending, now);
    this.#fresh.length = 0;
  }

  #accept(length: number): void {
    const view = this.#view;
    if (!view.parse(this.#buffer, length)) {
      this.#reinject(this.#buffer, length);
      return;
    }
    const key = this.#fillKey();
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
        if (!this.#behind.has(flow)) this.#behind.set(flow, 0);
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

  /** The kernel program's key: the smaller address and port first, so that both directions give the same. */
  #fillKey(): string {
    const { source, destination, sourcePort, destinationPort } = this.#view;
    // Compared as the kernel program compares: 32-bit words in the machine's byte order.
    let order = 0;
    for (let word = 0; word < 16 && order === 0; word += 4) {
      for (let i = 3; i >= 0 && order === 0; i--) {
        order = (source[word + i] as number) - (destination[word + i] as number);
      }
    }
    const swap = order > 0 || (order === 0 && sourcePort > destinationPort);
    this.#key.set(swap ? destination : source, 0);
    this.#key.set(swap ? source : destination, 16);
    this.#key.writeUInt16BE(swap ? destinationPort : sourcePort, 32);
    this.#key.writeUInt16BE(swap ? sourcePort : destinationPort, 34);
    return this.#key.toString('latin1', 0, KEY_BYTES);
  }

  #consider(pending: Pending, now: number): void {
    if (!this.#pending.has(pending.keyString) || pending.due) return;
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
      const action = this.actions.get(pending.identity.rules, pending.identity.rule);
      this.settle(pending, action === 'peek' ? 'forward' : action);
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

  /** Milliseconds until a decision is late; -1: none is out. */
  nextDue(now: number): number {
    if (this.#byId.size === 0) return -1;
    const [first] = this.#byId.values();
    return Math.max(0, (first as Pending).due - now);
  }

  /** Forwards what has waited too long. The map's order is that in which decisions were asked for. */
  expire(now: number): void {
    if (this.#byId.size === 0) return;
    for (const pending of this.#byId.values()) {
      if (pending.due > now) return;
      const message = `decide took more than ${this.decideTimeoutMs} ms, the flow is forwarded`;
      this.post({ type: 'log', level: 'warn', event: 'decideTimeout', message });
      this.#forward(pending, 'failed');
    }
  }

  /** The main thread's answer. A connection that ended meanwhile is no longer here. */
  onDecision(id: number, decision: Decision): void {
    const pending = this.#byId.get(id);
    if (pending && this.#pending.has(pending.keyString)) {
      if (decision === 'forward' || this.#isStillHeld(pending)) this.settle(pending, decision);
      else this.#forward(pending, 'endedInHold');
    }
    this.#byId.delete(id);
  }

  /** While the decision was out, the tracker may have given up on us, or the ports may serve another connection. */
  #isStillHeld(pending: Pending): boolean {
    const { identity } = pending;
    const before = identity.sides[CLIENT].isn;
    if (mapLookup(this.table.maps.handshakes, identity.key, this.#handshake) < 0) return false;
    const now = new Identity(identity.key, this.#handshake);
    return this.#handshake[HANDSHAKE_STATE] === State.HELD && now.sides[CLIENT].isn === before;
  }

  settle(pending: Pending, decision: Decision): void {
    if (decision === 'forward') this.#forward(pending, 'decided');
    else this.#take(pending, decision);
  }

  #forward(pending: Pending, why: WorkerCounter): void {
    this.#forget(pending);
    // The tracker sees them come back without a taken flow, and from then on forwards by itself.
    for (const packet of pending.packets) this.#reinject(packet, packet.length);
    this.counters.add(why, 1);
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending.keyString);
    this.#byId.delete(pending.id);
    this.#budget.release(pending);
  }

  #take(pending: Pending, decision: 'relay' | 'handle' | 'reset'): void {
    const { identity, packets } = pending;
    const direct = decision === 'relay' ? directData(identity, packets, this.#view) : null;
    const skip: [number, number] = [0, 0];
    if (direct) skip[direct.from] = direct.payload.length;
    let flow: TakenFlow;
    try {
      const action = decision === 'handle' ? 'handle' : 'relay';
      const first = direct ? (direct.from === CLIENT ? SERVER : CLIENT) : null;
      flow = this.table.take(identity, pending.keyString, action, skip, first);
    } catch (error) {
      if (error instanceof TableFull || error instanceof EcnLost) {
        this.#forward(pending, error instanceof TableFull ? 'tableFull' : 'ecn');
        return;
      }
      this.#logFailure('takeover failed, the flow is forwarded', error);
      this.#forward(pending, 'failed');
      return;
    }
    flow.read = pending.read;
    this.#forget(pending);
    if (decision === 'reset') {
      this.table.abort(flow);
      return;
    }
    if (direct) {
      const sent = this.direct.send(flow, direct);
      try {
        this.table.complete(flow, skip);
      } catch (error) {
        this.#logFailure('half a takeover failed, the flow is reset', error);
        for (const packet of packets) this.#reinject(packet, packet.length);
        return;
      }
      if (!sent) this.table.abort(flow);
    } else {
      for (const packet of packets) this.#reinject(packet, packet.length);
      this.#behind.set(flow, 0);
    }
    // After the first bytes are on their way.
    if (decision === 'relay') this.relaying.watch(flow);
    else {
      this.post({
        type: 'flow',
        id: flow.index,
        generation: flow.generation,
        name: flow.id,
        clientFd: flow.fds[CLIENT],
        serverFd: flow.fds[SERVER],
        client: identity.endpoint(CLIENT),
        server: identity.endpoint(SERVER),
        handshake: identity.record(),
        rule: identity.rule,
        rules: identity.rules,
      });
    }
  }

  #logFailure(what: string, error: unknown): void {
    const failure = error instanceof KernelError ? error : null;
    this.post({
      type: 'log',
      level: 'warn',
      event: 'failed',
      message: `${what}: ${String(error)}`,
      ...(failure ? { syscall: failure.syscall, errno: failure.code } : {}),
    });
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
