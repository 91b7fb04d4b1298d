/** What the tracker holds comes in here, is put to the decision, and goes on: into two sockets, or as it was. */
import { mapLookup, mapUpdate } from '../kernel/bpf.js';
import { KernelError } from '../kernel/errors.js';
import { read, send, write } from '../kernel/socket.js';
import type { Action } from '../policy/rules.js';
import { buildTcpSegment } from '../wire/segment.js';
import { Flag, SegmentView } from '../wire/view.js';
import type { Counters } from './counters.js';
import { type FlowTable, TableFull } from './flow-table.js';
import {
  HANDSHAKE_BYTES,
  HANDSHAKE_RULE,
  HANDSHAKE_STATE,
  Has,
  KEY_BYTES,
  State,
  type WorkerCounter,
} from './layout.js';
import type { Decision, FromWorker } from './messages.js';
import { CLIENT, Identity, SERVER, type Side, type TakenFlow } from './taken.js';

const PACKET = 65536;
/** Packets read in one go, so that what waits for one decision is put to it together. */
const BATCH = 256;
/** The first data of a flow goes straight into the other socket up to this size; more is left to TCP. */
const DIRECT = 4096;
/** When an answer has not carried the acknowledgement of directly sent data by then, one is sent. RFC 9293 allows
 *  500 ms (MUST-58); Linux itself waits 40. */
const ACKNOWLEDGE_MS = 20;

/** A connection whose packets are held until the decision. */
interface Pending {
  id: number;
  keyString: string;
  identity: Identity;
  packets: Uint8Array[];
  asked: boolean;
}

export type DecideHere = (
  candidate: Omit<Extract<FromWorker, { type: 'candidate' }>, 'type' | 'id'>,
) => Decision;

export class Intake {
  readonly #view = new SegmentView();
  readonly #buffer = new Uint8Array(PACKET);
  readonly #key = Buffer.alloc(KEY_BYTES);
  readonly #handshake = new Uint8Array(HANDSHAKE_BYTES);
  readonly #pending = new Map<string, Pending>();
  readonly #byId = new Map<number, Pending>();
  readonly #fresh: Pending[] = [];
  readonly #unacknowledged: { flow: TakenFlow; due: number; length: number; from: Side }[] = [];
  #nextId = 0;
  draining = false;

  constructor(
    readonly tun: number,
    readonly table: FlowTable,
    readonly counters: Counters,
    public actions: Action[],
    readonly decide: 'none' | 'main' | DecideHere,
    readonly post: (message: FromWorker) => void,
  ) {}

  /** Milliseconds until something is due; -1: nothing. */
  nextDue(now: number): number {
    const first = this.#unacknowledged[0];
    return first ? Math.max(0, first.due - now) : -1;
  }

  /** Reads what the tracker has redirected, and decides on what is new. */
  readHeld(): void {
    for (let i = 0; i < BATCH; i++) {
      const length = read(this.tun, this.#buffer, PACKET);
      if (length <= 0) break;
      this.#accept(length);
    }
    for (const pending of this.#fresh) this.#consider(pending);
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
      if ((view.flags & (Flag.SYN | Flag.ACK)) === Flag.SYN && isOver(flow)) {
        flow.heldSyns ??= [];
        flow.heldSyns.push(this.#buffer.slice(0, length));
      } else this.#reinject(this.#buffer, length);
      return;
    }
    const waiting = this.#pending.get(key);
    if (waiting) {
      waiting.packets.push(this.#buffer.slice(0, length));
      if (view.flags & Flag.RST && waiting.asked) this.#forward(waiting, 'endedInHold');
      return;
    }
    const found = mapLookup(this.table.maps.handshakes, this.#key, this.#handshake);
    if (found < 0 || this.#handshake[HANDSHAKE_STATE] !== State.HELD) {
      this.#reinject(this.#buffer, length);
      return;
    }
    const pending = {
      id: ++this.#nextId,
      keyString: key,
      identity: new Identity(this.#key, this.#handshake),
      packets: [this.#buffer.slice(0, length)],
      asked: false,
    };
    this.#pending.set(key, pending);
    this.#fresh.push(pending);
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

  #sideOf(pending: Pending): Side {
    const { identity } = pending;
    const client = identity.addressOffset(CLIENT);
    for (let i = 0; i < 16; i++) if (this.#view.source[i] !== identity.key[client + i]) return SERVER;
    return this.#view.sourcePort === identity.port(CLIENT) ? CLIENT : SERVER;
  }

  #consider(pending: Pending): void {
    if (!this.#pending.has(pending.keyString) || pending.asked) return;
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
      const action = this.actions[pending.identity.handshake[HANDSHAKE_RULE] as number] ?? 'forward';
      this.settle(pending, action);
      return;
    }
    const candidate = this.#candidate(pending);
    if (this.decide === 'main') {
      pending.asked = true;
      this.#byId.set(pending.id, pending);
      this.post({ type: 'candidate', id: pending.id, ...candidate });
      return;
    }
    try {
      this.settle(pending, this.decide(candidate));
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

  #candidate(pending: Pending) {
    const { identity, packets } = pending;
    const first = packets[0] as Uint8Array;
    this.#view.parse(first, first.length);
    const at = this.#view.payloadOffset;
    return {
      client: identity.endpoint(CLIENT),
      server: identity.endpoint(SERVER),
      handshake: identity.record(),
      rule: identity.handshake[HANDSHAKE_RULE] as number,
      from: this.#sideOf(pending) === CLIENT ? ('client' as const) : ('server' as const),
      bytes: first.slice(at, at + this.#view.payloadLength),
    };
  }

  /** The main thread's answer. A connection that ended meanwhile is no longer here. */
  onDecision(id: number, decision: Decision): void {
    const pending = this.#byId.get(id);
    if (pending && this.#pending.has(pending.keyString)) this.settle(pending, decision);
    this.#byId.delete(id);
  }

  settle(pending: Pending, decision: Decision): void {
    if (decision === 'forward') this.#forward(pending, 'decided');
    else this.#take(pending, decision);
  }

  #forward(pending: Pending, why: WorkerCounter): void {
    this.#forget(pending);
    for (const packet of pending.packets) this.#reinject(packet, packet.length);
    pending.identity.handshake[HANDSHAKE_STATE] = State.FORWARD;
    mapUpdate(this.table.maps.handshakes, pending.identity.key, pending.identity.handshake);
    this.counters.add(why, 1);
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending.keyString);
    this.#byId.delete(pending.id);
  }

  #take(pending: Pending, decision: 'relay' | 'handle' | 'reset'): void {
    const { identity, packets } = pending;
    const direct = decision === 'relay' && this.#isDirect(pending);
    const from = direct ? this.#sideOf(pending) : CLIENT;
    const length = direct ? this.#view.payloadLength : 0;
    let flow: TakenFlow;
    try {
      const action = decision === 'handle' ? 'handle' : 'relay';
      flow = this.table.take(
        identity,
        pending.keyString,
        action,
        from === CLIENT ? [length, 0] : [0, length],
      );
    } catch (error) {
      if (error instanceof TableFull) {
        this.#forward(pending, 'tableFull');
        return;
      }
      const failure = error instanceof KernelError ? error : null;
      this.post({
        type: 'log',
        level: 'warn',
        event: 'failed',
        message: `takeover failed, the flow is forwarded: ${String(error)}`,
        ...(failure ? { syscall: failure.syscall, errno: failure.code } : {}),
      });
      this.#forward(pending, 'failed');
      return;
    }
    this.#forget(pending);
    if (decision === 'reset') {
      this.table.abort(flow);
      return;
    }
    if (direct) this.#sendDirect(flow, packets[0] as Uint8Array, from, length);
    else for (const packet of packets) this.#reinject(packet, packet.length);
    if (decision === 'handle') {
      this.post({
        type: 'flow',
        id: flow.index,
        generation: flow.generation,
        clientFd: flow.fds[CLIENT],
        serverFd: flow.fds[SERVER],
        client: identity.endpoint(CLIENT),
        server: identity.endpoint(SERVER),
        handshake: identity.record(),
        rule: identity.handshake[HANDSHAKE_RULE] as number,
      });
    }
  }

  /** One small segment that is the very next one: it needs no detour through the receiving socket's queue. */
  #isDirect(pending: Pending): boolean {
    const packet = pending.packets[0] as Uint8Array;
    if (pending.packets.length !== 1) return false;
    const view = this.#view;
    view.parse(packet, packet.length);
    if (view.flags & (Flag.FIN | Flag.RST | Flag.URG | Flag.SYN)) return false;
    if (!(view.flags & Flag.PSH) || view.payloadLength === 0 || view.payloadLength > DIRECT) return false;
    const side = this.#sideOf(pending);
    const peer = pending.identity.sides[side === CLIENT ? SERVER : CLIENT];
    return (
      view.sequence === (pending.identity.sides[side].isn + 1) >>> 0 &&
      view.payloadLength <= (peer.has & Has.MSS ? peer.mss : 536)
    );
  }

  #sendDirect(flow: TakenFlow, packet: Uint8Array, from: Side, length: number): void {
    this.#view.parse(packet, packet.length);
    const at = this.#view.payloadOffset;
    const other: Side = from === CLIENT ? SERVER : CLIENT;
    if (send(flow.fds[other], packet.subarray(at, at + length), length) !== length) {
      this.table.abort(flow);
      return;
    }
    flow.directions[from].bytes += length;
    this.counters.add(from === CLIENT ? 'toServer' : 'toClient', length);
    this.#unacknowledged.push({ flow, due: Date.now() + ACKNOWLEDGE_MS, length, from });
  }

  /** Makes the kernel acknowledge directly sent data that no answer has acknowledged. */
  acknowledgeDue(now: number): void {
    let done = 0;
    for (const { flow, due, length, from } of this.#unacknowledged) {
      if (due > now) break;
      done++;
      const other: Side = from === CLIENT ? SERVER : CLIENT;
      // Whatever passed either way since has carried the acknowledgement.
      if (flow.finished || flow.directions[other].bytes > 0 || flow.directions[from].bytes !== length)
        continue;
      this.#probe(flow, from, length);
    }
    if (done > 0) this.#unacknowledged.splice(0, done);
  }

  /** A keep-alive as end `from` might send it (RFC 9293 section 3.8.4): the socket answers with a bare ACK. */
  #probe(flow: TakenFlow, from: Side, length: number): void {
    const { identity } = flow;
    const other: Side = from === CLIENT ? SERVER : CLIENT;
    const address = (side: Side) =>
      identity.key.subarray(identity.addressOffset(side), identity.addressOffset(side) + 16);
    const mine = identity.sides[from];
    const both = mine.has & identity.sides[other].has;
    const probe = buildTcpSegment({
      src: address(from),
      dst: address(other),
      sourcePort: identity.port(from),
      destinationPort: identity.port(other),
      seq: (mine.isn + length) >>> 0,
      ack: (identity.sides[other].isn + 1) >>> 0,
      flags: Flag.ACK,
      window: mine.window,
      ttl: 64,
      tos: 0,
      options: both & Has.TS ? { tsval: mine.tsval, tsecr: identity.sides[other].tsval } : {},
    });
    this.#reinject(probe, probe.length);
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
