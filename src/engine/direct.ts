/**
 * Direct data: a small first segment is sent straight into the other socket, whose counterpart starts behind it. That
 * saves a trip through the TUN, a wake-up and a read for each short flow; what it costs is that the receiving socket
 * never saw the segment, so that its acknowledgement has to ride on the answer, or be asked for.
 */

import { timestampNow } from '../kernel/repair.js';
import { send } from '../kernel/socket.js';
import { receiveWindow } from '../kernel/tcp_info.js';
import { AckWriter } from '../wire/ack.js';
import { DEFAULT_MSS } from '../wire/tcp.js';
import { Flag, type SegmentView } from '../wire/view.js';
import { monotonic } from './clock.js';
import type { Counters } from './counters.js';
import { Has } from './layout.js';
import { CLIENT, type Identity, SERVER, type Side, type TakenFlow } from './taken.js';
import type { TunWriter } from './tun-writer.js';

/** More than this is left to TCP, which acknowledges as it goes. */
const DIRECT_BYTES = 4096;
/** RFC 9293 allows 500 ms (MUST-58); Linux itself waits 40. */
const ACKNOWLEDGE_MS = 20;

interface Direct {
  from: Side;
  payload: Uint8Array;
}

/** Which end sent the segment in `view`. */
export function sideOf(identity: Identity, view: SegmentView): Side {
  const client = identity.addressOffset(CLIENT);
  for (let i = 0; i < 16; i++) if (view.source[i] !== identity.key[client + i]) return SERVER;
  return view.sourcePort === identity.port(CLIENT) ? CLIENT : SERVER;
}

/** The payload, when what is held is one small segment and the very next one; null: TCP has to sort it out. */
export function directData(
  identity: Identity,
  packets: readonly Uint8Array[],
  view: SegmentView,
): Direct | null {
  const packet = packets[0];
  if (packets.length !== 1 || !packet || !view.parse(packet, packet.length)) return null;
  if (view.flags & (Flag.FIN | Flag.RST | Flag.URG | Flag.SYN) || !(view.flags & Flag.PSH)) return null;
  const from = sideOf(identity, view);
  const peer = identity.sides[from === CLIENT ? SERVER : CLIENT];
  const most = Math.min(DIRECT_BYTES, peer.has & Has.MSS ? peer.mss : DEFAULT_MSS[identity.family]);
  if (view.payloadLength === 0 || view.payloadLength > most) return null;
  if (view.sequence !== (identity.sides[from].isn + 1) >>> 0) return null;
  return { from, payload: packet.subarray(view.payloadOffset, view.payloadOffset + view.payloadLength) };
}

export class DirectData {
  readonly #ack = new AckWriter();
  readonly #waiting: { flow: TakenFlow; due: number; length: number; from: Side }[] = [];

  constructor(
    readonly counters: Counters,
    readonly tun: TunWriter,
  ) {}

  /** False: the socket did not take it. */
  send(flow: TakenFlow, { from, payload }: Direct): boolean {
    const other: Side = from === CLIENT ? SERVER : CLIENT;
    if (send(flow.fds[other], payload, payload.length) !== payload.length) return false;
    flow.directions[from].bytes += payload.length;
    this.counters.add(from === CLIENT ? 'toServer' : 'toClient', payload.length);
    this.#waiting.push({ flow, due: monotonic() + ACKNOWLEDGE_MS, length: payload.length, from });
    return true;
  }

  /** Milliseconds until an acknowledgement is due; -1: none is. */
  nextDue(now: number): number {
    const first = this.#waiting[0];
    return first ? Math.max(0, first.due - now) : -1;
  }

  /** Acknowledges what no answer has acknowledged by now. */
  acknowledge(now: number): void {
    let done = 0;
    for (const { flow, due, length, from } of this.#waiting) {
      if (due > now) break;
      done++;
      this.#acknowledge(flow, from, length);
    }
    if (done > 0) this.#waiting.splice(0, done);
  }

  /** The same for one flow, at once. */
  acknowledgeNow(flow: TakenFlow): void {
    const mine = this.#waiting.find((each) => each.flow === flow);
    if (mine) this.#acknowledge(flow, mine.from, mine.length);
  }

  /** The socket that starts behind the payload never saw it, and so has nothing to acknowledge: we say it in its place. */
  #acknowledge(flow: TakenFlow, from: Side, length: number): void {
    const other: Side = from === CLIENT ? SERVER : CLIENT;
    // Whatever passed either way since has carried the acknowledgement.
    if (
      flow.finished ||
      flow.left ||
      flow.directions[other].bytes > 0 ||
      flow.directions[from].bytes !== length
    )
      return;
    const { identity } = flow;
    const [mine, self] = [identity.sides[from], identity.sides[other]];
    const both = identity.agreed;
    const scale = both & Has.WSCALE ? self.scale : 0;
    // Before Linux 6.2 TCP_INFO has no window; that of the SYN is not too much.
    const window = receiveWindow(flow.fds[from]) || self.window;
    const size = this.#ack.write(
      identity.family,
      identity.key,
      identity.addressOffset(other),
      identity.port(other),
      identity.addressOffset(from),
      identity.port(from),
      (self.isn + 1) >>> 0,
      (mine.isn + 1 + length) >>> 0,
      Math.min(0xffff, window >>> scale),
      (both & Has.TS) !== 0,
      both & Has.TS ? timestampNow(flow.fds[from]) : 0,
      mine.tsval,
    );
    this.tun.pass(this.#ack.packet, size);
  }
}
