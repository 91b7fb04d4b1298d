/**
 * Release: a taken flow goes back to plain forwarding, and neither end notices. Hold what the ends send anew, let the two
 * sockets empty their queues, check that they mirror each other, drop them silently, let what was held go on to the
 * other end. docs/manual/release.md draws it.
 */
import type { Release } from '../flow/stats.js';
import { KernelError } from '../kernel/errors.js';
import { enterRepair, leaveRepair, leaveRepairAsking, readSequence } from '../kernel/repair.js';
import { receiveMemory, setQuickAck, unacknowledged, unread } from '../kernel/socket.js';
import { TcpState, tcpState } from '../kernel/tcp_info.js';
import { Flag, type SegmentView } from '../wire/view.js';
import type { CatchingUp } from './catching-up.js';
import { type DirectData, sideOf } from './direct.js';
import type { FlowEntry } from './flow-entry.js';
import type { FlowTable } from './flow-table.js';
import { HeldSegments, type HeldTotal } from './held-segments.js';
import { Has, Live } from './layout.js';
import { CLIENT, SERVER, type Side, type TakenFlow } from './taken.js';

/** A packet that had passed the tracker when the hold began has long met its socket. */
const SETTLED_MS = 1;
/** How long an end may take to answer when it is asked for its timestamp; Linux answers one such question in half a second
 *  (tcp_invalid_ratelimit). */
const ASK_AGAIN_MS = 510;
const SWEEP_MS = 1;
/** How long a hole may wait to be filled while what lies behind it is held. */
const HOLE_MS = 50;

interface Wait {
  flow: TakenFlow;
  deadline: number;
  /** When the hold began, by the clock that counts fractions of a millisecond; -1: not yet. */
  since: number;
  /** When both ends were last asked for their timestamps; -1: never. */
  asked: number;
  /** All that was on its way when the hold began has arrived. */
  settled: boolean;
  /** Since when data of each side lies behind a hole; -1: none does. */
  readonly holes: [number, number];
  readonly told: ((outcome: Release) => void)[];
}

export class Releasing {
  readonly #waits = new Map<TakenFlow, Wait>();
  readonly #touched = new Set<TakenFlow>();
  readonly #total: HeldTotal = { bytes: 0 };
  #swept = 0;
  /** Why nothing is released now; null: it is. */
  #refusal: string | null = null;

  constructor(
    readonly entry: FlowEntry,
    readonly table: FlowTable,
    readonly direct: DirectData,
    readonly catchingUp: CatchingUp,
    readonly reinject: (packet: Uint8Array) => void,
  ) {}

  /** True while something has to be looked at again soon without an event. */
  get restless(): boolean {
    return this.#waits.size > 0;
  }

  /** `told` is called once, at the latest a little after `deadline`. */
  begin(flow: TakenFlow, now: number, deadline: number, told: (outcome: Release) => void): void {
    const under = this.#waits.get(flow);
    if (under) {
      under.told.push(told);
      return;
    }
    if (flow.finished) {
      told({ result: 'ended' });
      return;
    }
    const unfit = this.#refusal ?? whyUnfit(flow);
    if (unfit) {
      told({ result: 'refused', reason: unfit });
      return;
    }
    const wait: Wait = {
      flow,
      deadline,
      since: -1,
      asked: -1,
      settled: false,
      holes: [-1, -1],
      told: [told],
    };
    this.#waits.set(flow, wait);
    this.#check(wait, now);
  }

  /** What is being released goes on as before, and nothing is released until `null` is given. */
  refuse(reason: string | null): void {
    this.#refusal = reason;
    if (reason !== null) for (const flow of [...this.#waits.keys()]) this.#abandon(flow, reason);
  }

  /** Something has happened to its sockets. */
  touch(flow: TakenFlow): void {
    if (this.#waits.has(flow)) this.#touched.add(flow);
  }

  /** A segment of a flow whose `held` is set. */
  onHeld(flow: TakenFlow, view: SegmentView, packet: Uint8Array, length: number): void {
    const held = flow.held as HeldSegments;
    const from = sideOf(flow.identity, view);
    this.#touched.add(flow);
    if (view.flags & (Flag.RST | Flag.SYN)) {
      // Both are for our sockets to judge (RFC 5961), in their place among what came before.
      this.#abandon(flow, 'an end has reset the connection');
      this.reinject(packet.subarray(0, length));
    } else if (!held.mustWait(from, view)) this.reinject(packet.subarray(0, length));
    else {
      held.keep(from, view, packet, length);
      if (view.flags & Flag.ACK && unacknowledged(flow.fds[from]) > 0) {
        this.reinject(held.acknowledgement(from, view, packet));
      }
    }
  }

  /** Once a turn of the loop. */
  settle(now: number): void {
    if (this.#waits.size === 0) return;
    const sweep = now - this.#swept >= SWEEP_MS || now < this.#swept;
    if (sweep) this.#swept = now;
    for (const flow of sweep ? [...this.#waits.keys()] : [...this.#touched]) {
      const wait = this.#waits.get(flow);
      if (wait) this.#check(wait, now);
    }
    this.#touched.clear();
  }

  #check(wait: Wait, now: number): void {
    const { flow } = wait;
    if (flow.finished) {
      flow.held?.take(null);
      flow.held = null;
      this.#tell(wait, { result: 'ended' });
      return;
    }
    const unfit = whyUnfit(flow);
    if (unfit) {
      this.#abandon(flow, unfit);
      return;
    }
    if (wait.since < 0 && !this.catchingUp.has(flow)) this.#hold(wait);
    const lacking =
      wait.since < 0 ? 'what was held at its takeover is not delivered' : this.#lacking(wait, now);
    if (lacking !== null && now >= wait.deadline) this.#abandon(flow, `not in time: ${lacking}`);
  }

  #hold(wait: Wait): void {
    const { flow } = wait;
    if (!this.entry.change(flow.identity, Live.SIDES, Live.CATCHING_UP | Live.RELEASING)) return;
    flow.held = new HeldSegments(flow.identity, this.#next(flow), this.#total);
    wait.since = performance.now();
  }

  /** Where new data of each side begins, by the entry as it was last seen. */
  #next(flow: TakenFlow): [number, number] {
    const of = (side: Side): number =>
      this.entry.next(side) || (flow.identity.sides[side].isn + 1 + flow.directions[side].bytes) >>> 0;
    return [of(CLIENT), of(SERVER)];
  }

  /** What keeps the flow from being released now; null: nothing did. */
  #lacking(wait: Wait, now: number): string | null {
    const { flow } = wait;
    if (performance.now() - wait.since < SETTLED_MS) return 'it was held just now';
    if (!wait.settled) {
      wait.settled = true;
      // What was passing the tracker when the hold began has been counted by now.
      if (this.entry.change(flow.identity, 0, 0)) (flow.held as HeldSegments).next = this.#next(flow);
      this.direct.acknowledgeNow(flow);
    }
    for (const side of [CLIENT, SERVER] as const) {
      const { queued, pending } = flow.directions[side];
      const waiting = queued + (pending?.length ?? 0) + unread(flow.fds[side]);
      if (waiting > 0) return `${waiting} bytes from the ${nameOf(side)} are still here`;
    }
    for (const side of [CLIENT, SERVER] as const) {
      // An acknowledgement that is put off (RFC 9293 section 3.8.6.3) would never be sent.
      setQuickAck(flow.fds[side]);
      const waiting = unacknowledged(flow.fds[side]);
      if (waiting > 0) return `the ${nameOf(side)} has not acknowledged ${waiting} bytes`;
    }
    try {
      return this.#mirror(wait, now);
    } catch (error) {
      this.#stay(flow);
      // A reset may come at any moment; then the next look finds the socket closed.
      if (error instanceof KernelError) return error.message;
      throw error;
    }
  }

  /** A look at its sockets was broken off: they go on, whatever it has done. */
  #stay(flow: TakenFlow): void {
    this.entry.change(flow.identity, Live.LEAVING, 0);
    for (const fd of flow.fds) {
      try {
        leaveRepair(fd);
      } catch {
        // It is closed.
      }
    }
  }

  /** Puts both sockets into repair mode to compare them; they leave it unless they are dropped. */
  #mirror(wait: Wait, now: number): string | null {
    const { fds } = wait.flow;
    const [facingClient, facingServer] = [readSequence(fds[CLIENT]), readSequence(fds[SERVER])];
    const lacking =
      facingClient.send !== facingServer.receive || facingServer.send !== facingClient.receive
        ? 'the sockets do not mirror each other: bytes were added or left out'
        : this.#leave(wait, facingClient.receive, facingServer.receive, now);
    if (lacking === null) return null;
    for (const fd of fds) leaveRepair(fd);
    this.#showHoles(wait, now);
    return lacking;
  }

  /** A sender only knows of a hole by what was received behind it (SACK, or three duplicates): so that has to be. */
  #showHoles({ flow, holes }: Wait, now: number): void {
    for (const side of [CLIENT, SERVER] as const) {
      if (holes[side] < 0 || now - holes[side] < HOLE_MS) continue;
      holes[side] = -1;
      for (const packet of (flow.held as HeldSegments).takeOf(side)) this.reinject(packet);
    }
  }

  /** Both sockets are in repair mode, in which close() is silent. Returns what keeps them, or null. */
  #leave(wait: Wait, fromClient: number, fromServer: number, now: number): string | null {
    const { flow } = wait;
    const { identity } = flow;
    if (!this.entry.change(identity, 0, Live.LEAVING)) return 'its entry in the kernel is gone';
    let lacking: string | null = null;
    for (const side of [CLIENT, SERVER] as const) {
      const next = this.entry.next(side);
      const received = side === CLIENT ? fromClient : fromServer;
      if ((next !== 0 && ((next - received) | 0) > 0) || receiveMemory(flow.fds[side]) > 0) {
        lacking = `data of the ${nameOf(side)} lies behind a hole`;
        if (wait.holes[side] < 0) wait.holes[side] = now;
      } else wait.holes[side] = -1;
    }
    lacking ??= this.#clocks(wait, now);
    if (lacking !== null) {
      this.entry.change(identity, Live.LEAVING, 0);
      return lacking;
    }
    const stamps = [this.entry.stamp(CLIENT), this.entry.stamp(SERVER)] as const;
    this.table.leave(flow);
    for (const packet of (flow.held as HeldSegments).take(stamps)) this.reinject(packet);
    flow.held = null;
    this.catchingUp.begin(flow);
    this.#tell(wait, { result: 'released' });
    return null;
  }

  /**
   * Each end compares timestamps with the newest it has seen (PAWS, RFC 7323 section 5), which our socket sent by this
   * machine's clock. The other end's own must not be behind it. Where what was seen last does not show that, both are
   * asked: a window probe, which has to be acknowledged (RFC 9293 section 3.10.7.4).
   */
  #clocks(wait: Wait, now: number): string | null {
    const { flow } = wait;
    if (!(flow.identity.agreed & Has.TS)) return null;
    const behind = Math.max(this.entry.clockBehind(CLIENT), this.entry.clockBehind(SERVER));
    if (behind === 0) return null;
    if (wait.asked < 0 || now - wait.asked > ASK_AGAIN_MS) {
      wait.asked = now;
      for (const fd of flow.fds) {
        leaveRepairAsking(fd);
        enterRepair(fd);
      }
    }
    return `the timestamps of an end are ${behind} behind those that were sent in its name`;
  }

  /** It goes on as before. */
  #abandon(flow: TakenFlow, reason: string): void {
    const wait = this.#waits.get(flow);
    if (!wait) return;
    if (flow.held) {
      for (const packet of flow.held.take(null)) this.reinject(packet);
      flow.held = null;
      this.entry.change(flow.identity, Live.RELEASING, 0);
      this.catchingUp.begin(flow);
    }
    this.#tell(wait, { result: 'refused', reason });
  }

  #tell(wait: Wait, outcome: Release): void {
    this.#waits.delete(wait.flow);
    for (const told of wait.told) told(outcome);
  }
}

const nameOf = (side: Side): string => (side === CLIENT ? 'client' : 'server');

/** Why it can't be released, whatever comes; null: it may. */
function whyUnfit(flow: TakenFlow): string | null {
  if (flow.state === 'handle') return 'it is in the hands of a handler';
  if (flow.state === 'peek') return 'its first bytes are being looked at';
  const [toServer, toClient] = flow.directions;
  const over = (fd: number): boolean => tcpState(fd) !== TcpState.ESTABLISHED;
  if (flow.resetFrom !== -1 || toServer.eof || toClient.eof || over(flow.fds[0]) || over(flow.fds[1]))
    return 'it is closing';
  return null;
}
