/**
 * What the ends send while a flow is being released. New data waits for the other end; what fills a hole in data that our
 * socket has already acknowledged in part (SACK), and every acknowledgement, still goes to our sockets, which could not
 * empty their queues otherwise.
 */
import { AckWriter } from '../wire/ack.js';
import { u16 } from '../wire/bytes.js';
import { hasTsval, raiseTsval, tsecrOf, tsvalOf } from '../wire/tsval.js';
import { Flag, type SegmentView } from '../wire/view.js';
import { Has } from './layout.js';
import { CLIENT, type Identity, SERVER, type Side } from './taken.js';

/** For one flow. What is beyond is dropped: its sender, who has no acknowledgement, sends it again. */
export const HELD_BYTES = 4 << 20;
/** For all flows of a worker. */
export const HELD_TOTAL = 64 << 20;

/** Shared by the flows of a worker: bytes held by all of them. */
export interface HeldTotal {
  bytes: number;
}

const ack = new AckWriter();

interface Held {
  from: Side;
  /** Behind its last byte. */
  end: number;
  packet: Uint8Array;
  /** Where its TCP header lies. */
  at: number;
  timestamps: boolean;
}

export class HeldSegments {
  readonly #held: Held[] = [];
  #bytes = 0;
  readonly #known = new Set<string>();

  /** `next`: for each side, the sequence number at which new data begins. */
  constructor(
    readonly identity: Identity,
    public next: readonly [number, number],
    readonly total: HeldTotal,
  ) {}

  /** Whether this segment of end `from` has to wait. */
  mustWait(from: Side, view: SegmentView): boolean {
    const length = view.payloadLength + (view.flags & Flag.FIN ? 1 : 0);
    return length > 0 && ((view.sequence - this.next[from]) | 0) >= 0;
  }

  keep(from: Side, view: SegmentView, packet: Uint8Array, length: number): void {
    const name = `${from}.${view.sequence}.${view.payloadLength}.${view.flags & Flag.FIN}`;
    if (this.#known.has(name)) return;
    if (this.#bytes + length > HELD_BYTES || this.total.bytes + length > HELD_TOTAL) return;
    this.#known.add(name);
    const copy = Buffer.allocUnsafe(length);
    copy.set(packet.subarray(0, length));
    this.#held.push({
      from,
      end: (view.sequence + view.payloadLength + (view.flags & Flag.FIN ? 1 : 0)) >>> 0,
      packet: copy,
      at: view.headerOffset,
      timestamps: hasTsval(packet, view.headerOffset, view.payloadOffset),
    });
    this.#bytes += length;
    this.total.bytes += length;
  }

  /** Hands back what was kept of one side, in the order in which it came: new data of it begins behind all that. */
  takeOf(side: Side): Uint8Array[] {
    const mine = this.#held.filter(({ from }) => from === side);
    const rest = this.#held.splice(0).filter(({ from }) => from !== side);
    this.#held.push(...rest);
    const next = [...this.next] as [number, number];
    for (const { end, packet } of mine) {
      if (((end - next[side]) | 0) > 0) next[side] = end;
      this.#bytes -= packet.length;
      this.total.bytes -= packet.length;
    }
    this.next = next;
    return mine.map(({ packet }) => packet);
  }

  /**
   * Hands back what was kept, in the order in which it came. `stamps`: what our sockets have sent last in each end's name; what
   * that end sent a moment before would look older to the other one, which would drop it (PAWS, RFC 7323 section 5).
   */
  take(stamps: readonly [number, number] | null): Uint8Array[] {
    this.total.bytes -= this.#bytes;
    this.#bytes = 0;
    this.#known.clear();
    return this.#held.splice(0).map(({ from, packet, at, timestamps }) => {
      if (stamps && timestamps && stamps[from] !== 0) raiseTsval(packet, at, stamps[from]);
      return packet;
    });
  }

  /** The acknowledgement that a waiting segment brings, as a packet of its own; it is overwritten by the next one. */
  acknowledgement(from: Side, view: SegmentView, packet: Uint8Array): Uint8Array {
    const { identity } = this;
    const other: Side = from === CLIENT ? SERVER : CLIENT;
    const at = view.headerOffset;
    const timestamps = (identity.agreed & Has.TS) !== 0 && hasTsval(packet, at, view.payloadOffset);
    const length = ack.write(
      identity.family,
      identity.key,
      identity.addressOffset(from),
      identity.port(from),
      identity.addressOffset(other),
      identity.port(other),
      // Not less than what our socket expects: it would not look at the acknowledgement (RFC 9293 section 3.10.7.4).
      view.sequence,
      view.acknowledgement,
      u16(packet, at + 14),
      timestamps,
      timestamps ? tsvalOf(packet, at) : 0,
      timestamps ? tsecrOf(packet, at) : 0,
    );
    return ack.packet.subarray(0, length);
  }
}
