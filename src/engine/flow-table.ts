/** The flows of one worker: from takeover to the last trace of them. */
import { mapDelete, mapUpdate } from '../kernel/bpf.js';
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP, type Epoll } from '../kernel/epoll.js';
import { KernelError } from '../kernel/errors.js';
import { E } from '../kernel/ffi.js';
import { discard } from '../kernel/repair.js';
import { TimeWaitReaper } from '../kernel/sock_diag.js';
import {
  close,
  hasResetOnClose,
  setNoDelay,
  setResetOnClose,
  shutdownWrite,
  TcpState,
  tcpState,
  unacknowledged,
  unread,
} from '../kernel/socket.js';
import type { Counters } from './counters.js';
import { FLOW_BYTES, HANDSHAKE_STATE, State } from './layout.js';
import { Lingering } from './lingering.js';
import { pump, releasePipe } from './relay.js';
import { CLIENT, type Identity, SERVER, type Side, TakenFlow } from './taken.js';
import type { Takeover } from './takeover.js';

/** How long a reset waits for bytes before it that the other end does not acknowledge. */
const RESET_PATIENCE_MS = 5000;

/** The map of taken flows is full: a reason to forward, not a failure. */
export class TableFull extends Error {}

export class FlowTable {
  readonly byKey = new Map<string, TakenFlow>();
  readonly #slots: (TakenFlow | null)[] = [];
  readonly #free: number[] = [];
  readonly #reaper = new TimeWaitReaper();
  readonly #finished: TakenFlow[] = [];
  /** Flows whose reset waits for an acknowledgement, with the time at which it stops waiting. */
  readonly #resetting = new Map<TakenFlow, number>();
  readonly #value = new Uint8Array(FLOW_BYTES);
  readonly #lingering = new Lingering();
  #ready: TakenFlow[] = [];
  #generation = 0;

  constructor(
    readonly epoll: Epoll,
    readonly maps: { flows: number; handshakes: number },
    readonly takeover: Takeover,
    readonly counters: Counters,
    readonly onEnd: (flow: TakenFlow) => void,
    /** Writes a packet into the TUN, as if it had just arrived. */
    readonly reinject: (packet: Uint8Array) => void,
    readonly clock: () => number = Date.now,
  ) {}

  get(index: number, generation: number): TakenFlow | null {
    const flow = this.#slots[index];
    return flow && flow.generation === generation ? flow : null;
  }

  /** True while something has to be looked at again soon without an event. */
  get restless(): boolean {
    return this.#resetting.size > 0 || this.#ready.length > 0;
  }
  get busy(): boolean {
    return this.#ready.length > 0;
  }

  /**
   * Takes a flow. `first` names the socket that is made alone, so that direct data can be sent into it at once: `complete`
   * must follow. Null: both are made, and `goLive` must follow, once all that was held is delivered. Throws KernelError, EcnLost or TableFull, with the flow as it was before.
   */
  take(
    identity: Identity,
    keyString: string,
    action: 'relay' | 'handle',
    taken: readonly [number, number],
    first: Side | null,
  ): TakenFlow {
    const index = this.#free.pop() ?? this.#slots.length;
    const flow = new TakenFlow(index, ++this.#generation, keyString, identity, action);
    try {
      for (const side of [SERVER, CLIENT] as const)
        if (first === null || side === first) this.#make(flow, side, taken);
      identity.fillFlow(this.#value, first === null ? 'catchingUp' : [first === CLIENT, first === SERVER]);
      const result = mapUpdate(this.maps.flows, identity.key, this.#value);
      if (result === -E.E2BIG) throw new TableFull();
      if (result < 0) throw new KernelError('bpf_map_update_elem', -result, 'flows');
    } catch (error) {
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

  /** From now on what the ends send goes to the sockets by itself. */
  goLive(flow: TakenFlow): void {
    if (flow.finished) return;
    flow.identity.fillFlow(this.#value, [true, true]);
    mapUpdate(this.maps.flows, flow.identity.key, this.#value);
  }

  /** Makes the other socket. Until then the tracker holds what its end sends. */
  complete(flow: TakenFlow, taken: readonly [number, number]): void {
    const side = flow.fds[CLIENT] < 0 ? CLIENT : SERVER;
    try {
      this.#make(flow, side, taken);
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
    if (flow.action !== 'handle') return;
    for (const side of [CLIENT, SERVER] as const) {
      if (!flow.directions[side === CLIENT ? SERVER : CLIENT].noDelay) setNoDelay(flow.fds[side]);
    }
  }

  /** From a handler to the relay; `pending[side]` was read from that side and not passed on yet. */
  relay(flow: TakenFlow, pending: readonly [Uint8Array | null, Uint8Array | null]): void {
    for (const side of [CLIENT, SERVER] as const) this.countHandled(flow, side, true);
    flow.state = 'relay';
    flow.directions[CLIENT].pending = pending[CLIENT];
    flow.directions[SERVER].pending = pending[SERVER];
    this.watch(flow);
    this.#ready.push(flow);
  }

  /** From now on events of its sockets come in; what is there already raises one, too. */
  watch(flow: TakenFlow): void {
    if (flow.finished) return;
    try {
      this.epoll.add(flow.fds[CLIENT], flow.index * 2, flow.generation);
      this.epoll.add(flow.fds[SERVER], flow.index * 2 + 1, flow.generation);
    } catch {
      // No memory for an epoll entry: the flow is ours already and can only end.
      this.abort(flow);
    }
  }

  /** An event on the socket that faces `side`. */
  onEvent(flow: TakenFlow, side: Side, events: number): void {
    if (flow.finished) return;
    if (flow.orphaned[side]) {
      this.#checkOrphan(flow, side);
      return;
    }
    const mine = flow.directions[side];
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) mine.readToEnd = true;
    mine.finNext = (events & (EPOLLRDHUP | EPOLLERR | EPOLLPRI)) === EPOLLRDHUP;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) this.#pump(flow, side);
    if (events & (EPOLLOUT | EPOLLERR) && !flow.finished) this.#pumpOther(flow, side);
    if (events & (EPOLLERR | EPOLLHUP) && !flow.finished && flow.resetFrom === -1)
      this.#checkReset(flow, side);
    if (!flow.finished) this.#checkClosed(flow);
  }

  /** A reset behind a FIN: nobody reads or writes that socket any more, so that only its state tells. */
  #checkReset(flow: TakenFlow, side: Side): void {
    const towards = flow.directions[side === CLIENT ? SERVER : CLIENT];
    if (!towards.finSent && tcpState(flow.fds[side]) === TcpState.CLOSE) this.#passReset(flow, side);
  }

  /** Room in the socket that faces `side` matters only if the other direction has something in transit. */
  #pumpOther(flow: TakenFlow, side: Side): void {
    const from: Side = side === CLIENT ? SERVER : CLIENT;
    const other = flow.directions[from];
    if (other.queued > 0 || other.pending) this.#pump(flow, from);
  }

  #pump(flow: TakenFlow, from: Side): void {
    const direction = flow.directions[from];
    const before = direction.bytes;
    const result = pump(flow, from);
    this.#count(from, direction.bytes - before);
    if (result === 'more') this.#ready.push(flow);
    else if (result === 'blocked') this.#watchOutput(flow, from);
    else if (result === 'sourceFailed') this.#passReset(flow, from);
    else if (result === 'targetFailed') this.#passReset(flow, from === CLIENT ? SERVER : CLIENT);
  }

  /** Most flows never fill a socket, and an event for its room would be one more turn of the loop for each. */
  #watchOutput(flow: TakenFlow, from: Side): void {
    const direction = flow.directions[from];
    if (direction.outputWatched || (direction.queued === 0 && !direction.pending)) return;
    direction.outputWatched = true;
    const to = from === CLIENT ? SERVER : CLIENT;
    this.epoll.addOutput(flow.fds[to], flow.index * 2 + to, flow.generation);
  }

  /** The socket that faces `from` was reset: the other end gets a reset, behind the bytes that came before it. */
  #passReset(flow: TakenFlow, from: Side): void {
    if (flow.resetFrom !== -1) {
      this.abort(flow);
      return;
    }
    flow.resetFrom = from;
    // What it had sent before is still readable (tcp_recvmsg() looks at the queue first).
    flow.directions[from].readToEnd = true;
    this.#resetting.set(flow, this.clock() + RESET_PATIENCE_MS);
    this.#tryReset(flow, false);
  }

  /** Passes the reset on once all that came before it has been sent and acknowledged; `late`: it has waited enough. */
  #tryReset(flow: TakenFlow, late: boolean): void {
    const from = flow.resetFrom as Side;
    const direction = flow.directions[from];
    const before = direction.bytes;
    const drained = pump(flow, from) === 'ended' || direction.finSent;
    this.#count(from, direction.bytes - before);
    const other = from === CLIENT ? SERVER : CLIENT;
    if (late || (drained && unacknowledged(flow.fds[other]) === 0)) this.abort(flow);
  }

  #count(from: Side, bytes: number): void {
    if (bytes !== 0) this.counters.add(from === CLIENT ? 'toServer' : 'toClient', bytes);
  }

  /** What a handler has sent to `side` since the last time. `queued`: also what it has written and TCP not sent yet. */
  countHandled(flow: TakenFlow, side: Side, queued = false): void {
    if (flow.state === 'handle') this.#count(side === CLIENT ? SERVER : CLIENT, flow.handled(side, queued));
  }

  #checkClosed(flow: TakenFlow): void {
    if (!flow.directions[0].finSent || !flow.directions[1].finSent) return;
    if (tcpState(flow.fds[0]) === TcpState.CLOSE && tcpState(flow.fds[1]) === TcpState.CLOSE) {
      this.counters.add('closed', 1);
      this.#finish(flow);
    }
  }

  /** A handler has closed its socket: ours closes as the kernel would have closed it (tcp_close()). */
  orphan(flow: TakenFlow, side: Side): void {
    if (flow.finished || flow.orphaned[side]) return;
    flow.orphaned[side] = true;
    const fd = flow.fds[side];
    if (hasResetOnClose(fd) || unread(fd) > 0) {
      this.#closeWithReset(flow, side);
    } else {
      shutdownWrite(fd);
      flow.activeClose[side] = true;
      this.epoll.add(fd, flow.index * 2 + side, flow.generation);
    }
    this.#checkOrphan(flow, side);
  }

  #checkOrphan(flow: TakenFlow, side: Side): void {
    const fd = flow.fds[side];
    // Data for somebody who is gone is answered with a reset (RFC 9293 SHLD-3).
    if (fd >= 0 && unread(fd) > 0) this.#closeWithReset(flow, side);
    else if (fd >= 0 && tcpState(fd) === TcpState.FIN_WAIT2) this.#lingering.begin(flow, side, this.clock());
    const gone = (s: Side) =>
      flow.orphaned[s] && (flow.fds[s] < 0 || tcpState(flow.fds[s]) === TcpState.CLOSE);
    if (!gone(CLIENT) || !gone(SERVER)) return;
    this.counters.add(flow.fds[0] < 0 || flow.fds[1] < 0 ? 'reset' : 'closed', 1);
    this.#finish(flow);
  }

  #closeWithReset(flow: TakenFlow, side: Side): void {
    this.countHandled(flow, side);
    setResetOnClose(flow.fds[side]);
    close(flow.fds[side]);
    flow.fds[side] = -1;
  }

  /** Resets both ends, now. */
  abort(flow: TakenFlow): void {
    if (flow.finished) return;
    for (const side of [CLIENT, SERVER] as const) {
      if (flow.fds[side] >= 0) this.#closeWithReset(flow, side);
    }
    this.counters.add('reset', 1);
    this.#finish(flow);
  }

  #finish(flow: TakenFlow): void {
    flow.finished = true;
    this.#resetting.delete(flow);
    this.#lingering.end(flow);
    for (const side of [CLIENT, SERVER] as const) {
      this.countHandled(flow, side);
      releasePipe(flow, side);
      if (flow.fds[side] >= 0) close(flow.fds[side]);
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

  /** Once a turn of the loop: other flows' turns, resets that waited, and what is finished leaves no trace. */
  settle(now: number): void {
    if (this.#ready.length > 0) {
      const ready = this.#ready;
      this.#ready = [];
      for (const flow of ready) {
        if (flow.finished || flow.state === 'handle') continue;
        this.#pump(flow, CLIENT);
        if (!flow.finished) this.#pump(flow, SERVER);
        if (!flow.finished) this.#checkClosed(flow);
      }
    }
    for (const [flow, deadline] of this.#resetting) this.#tryReset(flow, now > deadline);
    for (const [flow, side] of this.#lingering.take(now)) {
      this.#closeWithReset(flow, side);
      this.#checkOrphan(flow, side);
    }
    if (this.#finished.length === 0) return;
    this.#reaper.flush();
    for (const flow of this.#finished) {
      mapDelete(this.maps.flows, flow.identity.key);
      this.byKey.delete(flow.keyString);
      this.#slots[flow.index] = null;
      this.#free.push(flow.index);
      this.counters.add('active', -1);
      for (const syn of flow.heldSyns ?? []) this.reinject(syn);
      this.onEnd(flow);
    }
    this.#finished.length = 0;
  }
}
