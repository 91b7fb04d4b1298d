/** What is done about events on the sockets of relayed flows: bytes, FINs and resets, each in their order. */
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP, type Epoll } from '../kernel/epoll.js';
import { TcpState, tcpState } from '../kernel/tcp_info.js';
import { monotonic } from './clock.js';
import type { FlowTable } from './flow-table.js';
import { pump } from './relay.js';
import { PendingResets } from './resets.js';
import { CLIENT, SERVER, type Side, type TakenFlow } from './taken.js';

/** An end that sends so much, or sends again before the other one has, does not wait for an answer. */
const STREAM_BYTES = 16384;

export class Relaying {
  #ready: TakenFlow[] = [];
  /** Of these, some bytes wait for a pipe. */
  readonly #starved: TakenFlow[] = [];
  readonly #resets: PendingResets;
  /** A flow has carried as many bytes as its `releaseAfter` says. */
  onEnough: (flow: TakenFlow) => void = () => {};

  constructor(
    readonly epoll: Epoll,
    readonly table: FlowTable,
    readonly clock: () => number = monotonic,
  ) {
    this.#resets = new PendingResets(table);
  }

  /** When a FIN was last passed on: its flow is over soon, maybe by the tracker alone, of which no event tells. */
  lastFin = -Infinity;

  /** Bytes of a stream have passed since this was last set to false: nobody waits for the next ones. */
  streamed = false;
  /** Whose bytes passed last. */
  #last = -1;

  /** True while something has to be looked at again soon without an event. */
  get restless(): boolean {
    return this.#resets.waiting || this.#starved.length > 0;
  }
  /** True while there is work that no event will announce. */
  get busy(): boolean {
    return this.#ready.length > 0;
  }

  /** Nobody has read yet; `events` are what has happened to each socket meanwhile. */
  begin(flow: TakenFlow, events: readonly [number, number]): void {
    flow.state = 'relay';
    for (const side of [CLIENT, SERVER] as const)
      if (!flow.finished) this.onEvent(flow, side, events[side] | EPOLLIN);
  }

  /** From a handler to the relay; `pending[side]` was read from that side and not passed on yet. */
  adopt(flow: TakenFlow, pending: readonly [Uint8Array | null, Uint8Array | null]): void {
    for (const side of [CLIENT, SERVER] as const) this.table.countHandled(flow, side, true);
    flow.state = 'relay';
    flow.directions[CLIENT].pending = pending[CLIENT];
    flow.directions[SERVER].pending = pending[SERVER];
    flow.kept?.settle(flow);
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
      this.table.abort(flow);
    }
  }

  /** An event on the socket that faces `side`. */
  onEvent(flow: TakenFlow, side: Side, events: number): void {
    if (flow.finished) return;
    const mine = flow.directions[side];
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) mine.readToEnd = true;
    if (events & EPOLLPRI) mine.urgent = true;
    mine.finNext = (events & (EPOLLRDHUP | EPOLLERR | EPOLLPRI)) === EPOLLRDHUP;
    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) this.#pump(flow, side);
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
    if (other.queued > 0 || other.pending || other.urgentWaits) this.#pump(flow, from);
  }

  #pump(flow: TakenFlow, from: Side): void {
    const direction = flow.directions[from];
    const before = direction.bytes;
    const result = pump(flow, from);
    const moved = direction.bytes - before;
    this.table.count(from, moved);
    if (moved > 0) this.#note(flow, from, moved);
    if (result === 'more') this.#ready.push(flow);
    else if (result === 'starved') this.#starved.push(flow);
    else if (result === 'ended') this.lastFin = this.clock();
    else if (result === 'blocked') this.#watchOutput(flow, from);
    else if (result === 'sourceFailed') this.#passReset(flow, from);
    else if (result === 'targetFailed') this.#passReset(flow, from === CLIENT ? SERVER : CLIENT);
  }

  /** Bytes have passed. */
  #note(flow: TakenFlow, from: Side, moved: number): void {
    const one = flow.index * 2 + from;
    if (moved >= STREAM_BYTES || one === this.#last) this.streamed = true;
    this.#last = one;
    if (flow.idleMs !== Infinity) flow.active = this.clock();
    if (flow.directions[0].bytes + flow.directions[1].bytes >= flow.releaseAfter) this.onEnough(flow);
  }

  /** Most flows never fill a socket, and an event for its room would be one more turn of the loop for each. */
  #watchOutput(flow: TakenFlow, from: Side): void {
    const direction = flow.directions[from];
    if (direction.outputWatched) return;
    if (direction.queued === 0 && !direction.pending && !direction.urgentWaits) return;
    direction.outputWatched = true;
    const to = from === CLIENT ? SERVER : CLIENT;
    this.epoll.addOutput(flow.fds[to], flow.index * 2 + to, flow.generation);
  }

  /** The socket that faces `from` was reset: the other end gets a reset, behind the bytes that came before it. */
  #passReset(flow: TakenFlow, from: Side): void {
    if (flow.resetFrom !== -1) {
      this.table.abort(flow);
      return;
    }
    flow.resetFrom = from;
    // What it had sent before is still readable (tcp_recvmsg() looks at the queue first).
    flow.directions[from].readToEnd = true;
    this.#resets.add(flow, this.clock());
  }

  #checkClosed(flow: TakenFlow): void {
    if (!flow.directions[0].finSent || !flow.directions[1].finSent) return;
    if (tcpState(flow.fds[0]) === TcpState.CLOSE && tcpState(flow.fds[1]) === TcpState.CLOSE) {
      this.table.counters.add('closed', 1);
      this.table.finish(flow);
    }
  }

  /** Once a turn of the loop: other flows' turns, and resets that waited. */
  settle(now: number): void {
    if (this.#ready.length > 0 || this.#starved.length > 0) {
      const ready = this.#starved.length > 0 ? [...this.#ready, ...this.#starved.splice(0)] : this.#ready;
      this.#ready = [];
      for (const flow of ready) {
        if (flow.finished || flow.left || flow.state !== 'relay') continue;
        this.#pump(flow, CLIENT);
        if (!flow.finished) this.#pump(flow, SERVER);
        if (!flow.finished) this.#checkClosed(flow);
      }
    }
    this.#resets.settle(now);
  }
}
