/** The flows of one worker: from takeover to the last trace of them. */
import { MapDeletion, mapUpdate } from '../kernel/bpf.js';
import { KernelError } from '../kernel/errors.js';
import { E } from '../kernel/ffi.js';
import { discard } from '../kernel/repair.js';
import { TimeWaitReaper } from '../kernel/sock_diag.js';
import { close, setNoDelay, setResetOnClose } from '../kernel/socket.js';
import { TcpState, tcpState } from '../kernel/tcp_info.js';
import type { Counters } from './counters.js';
import type { FlowEntry } from './flow-entry.js';
import type { KeptFlows } from './keep/writer.js';
import { ANY_NUMBER, FLOW_BYTES, HANDSHAKE_STATE, KEY_BYTES, Live, State } from './layout.js';
import { pipes, releasePipe } from './relay.js';
import { CLIENT, type Identity, SERVER, type Side, TakenFlow } from './taken.js';
import type { Takeover } from './takeover.js';

/** The map of taken flows is full, or there are no descriptors: a reason to forward, not a failure. */
export class TableFull extends Error {}

/** In one call. */
const MOST_DELETED = 64;

export class FlowTable {
  readonly byKey = new Map<string, TakenFlow>();
  readonly #slots: (TakenFlow | null)[] = [];
  readonly #free: number[] = [];
  readonly #reaper = new TimeWaitReaper();
  readonly #finished: TakenFlow[] = [];
  readonly #words = new Uint32Array(FLOW_BYTES / 4);
  readonly #value = new Uint8Array(this.#words.buffer);
  readonly #deletion: MapDeletion;
  #generation = 0;

  constructor(
    readonly maps: { flows: number; handshakes: number },
    readonly worker: number,
    readonly entry: FlowEntry,
    readonly takeover: Takeover,
    readonly counters: Counters,
    readonly onEnd: (flow: TakenFlow) => void,
    /** Writes a packet into the TUN, as if it had just arrived. */
    readonly reinject: (packet: Uint8Array) => void,
    /** Where flows are written down for the next engine; null: they end with this one. */
    readonly kept: KeptFlows | null = null,
  ) {
    this.#deletion = new MapDeletion(maps.flows, KEY_BYTES, MOST_DELETED);
  }

  get(index: number, generation: number): TakenFlow | null {
    const flow = this.#slots[index];
    return flow && flow.generation === generation ? flow : null;
  }

  /** The flow of that id; null: it is not here, or not any more. */
  named(id: string): TakenFlow | null {
    const [worker, index, generation] = id.split('.').map(Number);
    return worker === this.worker ? this.get(index as number, generation as number) : null;
  }

  /** 32 bits go with an event; 0 is none. */
  #nextGeneration(): number {
    this.#generation = (this.#generation + 1) >>> 0 || 1;
    return this.#generation;
  }

  /**
   * Takes a flow. `first` names the socket that is made alone, so that direct data can be sent into it at once: `complete`
   * must follow. Null: both are made, and `caughtUp` must follow, once all that was held is delivered.
   * `bits`: of Live, what the tracker may do since nobody but the relay reads and writes. Throws KernelError, EcnLost or TableFull,
   * with the flow as it was before.
   */
  take(
    identity: Identity,
    keyString: string,
    action: 'relay' | 'handle',
    taken: readonly [number, number],
    first: Side | null,
    bits: number,
  ): TakenFlow {
    if (!this.takeover.ready) throw new TableFull();
    const index = this.#free.pop() ?? this.#slots.length;
    const flow = new TakenFlow(this.worker, index, this.#nextGeneration(), keyString, identity, action);
    try {
      // One that is kept is whole before it is ours: the next engine could not make what is missing.
      for (const side of [SERVER, CLIENT] as const)
        if (first === null || this.kept || side === first) this.#make(flow, side, taken);
      if (this.kept) {
        for (const direction of flow.directions) direction.streaming = true;
        this.kept.put(flow);
      }
      const live = first === null ? Live.CATCHING_UP : identity.liveBit(first);
      flow.fillEntry(this.#words, this.#value, live | bits);
      const result = mapUpdate(this.maps.flows, identity.key, this.#value);
      if (result === -E.E2BIG) throw new TableFull();
      if (result < 0) throw new KernelError('bpf_map_update_elem', -result, 'flows');
    } catch (error) {
      flow.kept?.clear(flow);
      for (const fd of flow.fds) if (fd >= 0) discard(fd);
      this.#free.push(index);
      throw error;
    }
    // The point of no return: from here on the kernel delivers to our sockets.
    this.#slots[index] = flow;
    this.byKey.set(keyString, flow);
    flow.state = action;
    this.counters.add('intercepted', 1);
    this.counters.add('active', 1);
    if (first === null) this.#made(flow);
    return flow;
  }

  /** A number for a flow that comes from elsewhere. */
  place(): { index: number; generation: number } {
    return { index: this.#slots.length, generation: this.#nextGeneration() };
  }

  /** How many slots may be filled. */
  get used(): number {
    return this.#slots.length;
  }
  /** What the last flow got, of this engine or of one before it. */
  get generation(): number {
    return this.#generation;
  }
  /** No flow gets a number that one of another engine has had. */
  countOn(generation: number): void {
    this.#generation = Math.max(this.#generation, generation);
  }

  /** A flow of the engine before this one. `renumber` must follow when all are there. */
  adopt(flow: TakenFlow): void {
    this.#slots[flow.index] = flow;
    this.#generation = Math.max(this.#generation, flow.generation);
    this.byKey.set(flow.keyString, flow);
    this.counters.add('active', 1);
  }

  /** What adopted flows have left between them is free. */
  renumber(): void {
    for (let index = 0; index < this.#slots.length; index++) {
      if (this.#slots[index]) continue;
      this.#slots[index] = null;
      this.#free.push(index);
    }
  }

  /**
   * What was held is delivered: from now on what the ends send goes to the sockets by itself, or to the other end. False: the
   * tracker has held more segments than were read, unless that does not matter (`anyway`).
   */
  caughtUp(flow: TakenFlow, anyway: boolean): boolean {
    if (flow.finished) return true;
    const { identity, left } = flow;
    const held = anyway ? ANY_NUMBER : flow.read;
    // Of a flow that has left nothing is held any more before its entry goes.
    const done = left
      ? this.entry.changeIf(held, identity, 0, Live.OVER)
      : this.entry.changeIf(held, identity, Live.CATCHING_UP, Live.SIDES);
    if (done && left) this.#release(flow);
    return done;
  }

  /** Its sockets, which are in repair mode, vanish silently. `caughtUp` must follow. */
  leave(flow: TakenFlow): void {
    flow.left = true;
    flow.kept?.clear(flow);
    for (const side of [CLIENT, SERVER] as const) {
      releasePipe(flow, side);
      close(flow.fds[side]);
      flow.fds[side] = -1;
    }
    this.#slots[flow.index] = null;
  }

  /** Another engine has copies of its descriptors and goes on with it, so that closing ours says nothing to anybody. */
  drop(flow: TakenFlow): void {
    flow.finished = true;
    for (const side of [CLIENT, SERVER] as const) {
      const { pipe } = flow.directions[side];
      flow.directions[side].pipe = null;
      if (pipe) pipes.destroy(pipe);
      if (flow.fds[side] >= 0) close(flow.fds[side]);
      flow.fds[side] = -1;
    }
    flow.kept?.clear(flow);
    this.byKey.delete(flow.keyString);
    this.#slots[flow.index] = null;
    this.counters.add('active', -1);
  }

  /** The ends talk to each other alone. */
  #release(flow: TakenFlow): void {
    const { identity } = flow;
    identity.handshake[HANDSHAKE_STATE] = State.FORWARD;
    mapUpdate(this.maps.handshakes, identity.key, identity.handshake);
    this.counters.add('released', 1);
    flow.finished = true;
    this.#deletion.add(identity.key);
    this.#deletion.flush();
    this.#forget(flow);
  }

  /** No trace of it is left in the kernel. */
  #forget(flow: TakenFlow): void {
    flow.kept?.clear(flow);
    this.byKey.delete(flow.keyString);
    this.#slots[flow.index] = null;
    this.#free.push(flow.index);
    this.counters.add('active', -1);
    for (const syn of flow.heldSyns ?? []) this.reinject(syn);
    this.onEnd(flow);
  }

  /** Makes the other socket. Until then the tracker holds what its end sends. */
  complete(flow: TakenFlow, taken: readonly [number, number]): void {
    const side = flow.fds[CLIENT] < 0 ? CLIENT : SERVER;
    try {
      if (flow.fds[side] < 0) this.#make(flow, side, taken);
      this.#made(flow);
    } catch (error) {
      // The one end is reset; the other hears of that when its next segment is forwarded and meets a closed port.
      this.abort(flow);
      throw error;
    }
  }

  #make(flow: TakenFlow, side: Side, taken: readonly [number, number]): void {
    const towards = flow.directions[side === CLIENT ? SERVER : CLIENT];
    towards.noDelay = this.takeover.make(flow, side, taken);
    if (!towards.noDelay) flow.byRepair = true;
  }

  #made(flow: TakenFlow): void {
    const { identity } = flow;
    if (flow.byRepair) {
      identity.handshake[HANDSHAKE_STATE] = State.FORWARD;
      mapUpdate(this.maps.handshakes, identity.key, identity.handshake);
    }
    if (flow.action === 'handle') this.handle(flow);
  }

  /** A relayed flow goes to a handler: node:net expects that what it writes is sent. */
  handle(flow: TakenFlow): void {
    flow.action = 'handle';
    flow.kept?.put(flow);
    for (const side of [CLIENT, SERVER] as const) {
      if (!flow.directions[side === CLIENT ? SERVER : CLIENT].noDelay) setNoDelay(flow.fds[side]);
    }
  }

  /** Bytes that went from `from` to the other end. */
  count(from: Side, bytes: number): void {
    if (bytes !== 0) this.counters.add(from === CLIENT ? 'toServer' : 'toClient', bytes);
  }

  /** What a handler has sent to `side` since the last time. `queued`: also what it has written and TCP not sent yet. */
  countHandled(flow: TakenFlow, side: Side, queued = false): void {
    if (flow.state === 'handle') this.count(side === CLIENT ? SERVER : CLIENT, flow.handled(side, queued));
  }

  /** Ends one side with a reset. */
  closeWithReset(flow: TakenFlow, side: Side): void {
    const other = flow.fds[side === CLIENT ? SERVER : CLIENT];
    if (other < 0 || tcpState(other) === TcpState.CLOSE) this.#leaveToEnds(flow);
    this.#reset(flow, side);
  }

  #reset(flow: TakenFlow, side: Side): void {
    this.countHandled(flow, side);
    setResetOnClose(flow.fds[side]);
    close(flow.fds[side]);
    flow.fds[side] = -1;
  }

  /** Resets both ends, now. */
  abort(flow: TakenFlow): void {
    if (flow.finished || flow.left) return;
    this.#leaveToEnds(flow);
    for (const side of [CLIENT, SERVER] as const) {
      if (flow.fds[side] >= 0) this.#reset(flow, side);
    }
    this.counters.add('reset', 1);
    this.finish(flow);
  }

  /**
   * An end that challenges our reset is answered by the other end, not by us: for a packet without a socket, IPv4 sends no
   * reset from an address that is not this host's (tcp_v4_send_reset()). Before the reset, since the challenge may be
   * faster than the next system call. The entry stays, for the dress of the reset.
   */
  #leaveToEnds(flow: TakenFlow): void {
    this.entry.change(flow.identity, 0, Live.OVER);
  }

  /** The tracker has ended it (bpf/part.h): its sockets have nothing left to say, and say nothing. */
  part(flow: TakenFlow): void {
    if (flow.finished || flow.left) return;
    flow.finished = true;
    for (const side of [CLIENT, SERVER] as const) {
      releasePipe(flow, side);
      discard(flow.fds[side]);
      flow.fds[side] = -1;
    }
    this.counters.add('closed', 1);
    this.#finished.push(flow);
  }

  /** It has ended: its descriptors go at once, the rest with `reap`. */
  finish(flow: TakenFlow): void {
    if (flow.finished) return;
    flow.finished = true;
    for (const side of [CLIENT, SERVER] as const) {
      this.countHandled(flow, side);
      releasePipe(flow, side);
      if (flow.fds[side] >= 0) close(flow.fds[side]);
      flow.fds[side] = -1;
      if (!flow.activeClose[side]) continue;
      const other = side === CLIENT ? SERVER : CLIENT;
      const { key, family } = flow.identity;
      this.#reaper.add(
        family,
        key,
        flow.identity.addressOffset(other),
        flow.identity.port(other),
        key,
        flow.identity.addressOffset(side),
        flow.identity.port(side),
      );
    }
    this.#finished.push(flow);
  }

  /** What is finished leaves no trace: no TIME_WAIT, no map entry. Call it once a turn of the loop. */
  reap(): void {
    if (this.#finished.length === 0) return;
    this.#reaper.flush();
    for (const flow of this.#finished) this.#deletion.add(flow.identity.key);
    this.#deletion.flush();
    for (const flow of this.#finished) this.#forget(flow);
    this.#finished.length = 0;
  }

  close(): void {
    this.#reaper.close();
  }
}
