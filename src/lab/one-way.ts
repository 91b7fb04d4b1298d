/**
 * One direction of a shaped link: which packets are lost, doubled, held back, and when each leaves. Pure: the time comes in,
 * and chance is a function of the seed and of the packet's number alone. A packet first meets loss, then the bottleneck
 * (rate and queue), then the delay; packets are numbers of the caller's.
 */
import { chance, streamOf } from './chance.js';
import type { OneWayConditions } from './conditions.js';

/** A packet that is to be overtaken waits until so many have passed it, ... */
const OVERTAKERS = 3;
/** ... but no longer than this, for those that have nobody behind them. */
const HOLD_MS = 10;

export class OneWay {
  /** Packets that came, and what became of those that did not go on as they were. */
  readonly counts = { packets: 0, lost: 0, queueFull: 0, noRoom: 0, duplicated: 0, heldBack: 0 };

  readonly #streams: { loss: number; duplicate: number; reorder: number; jitter: number };
  /** The time for one byte at the bottleneck; 0: it takes none. */
  readonly #byteMs: number;
  /** When the bottleneck will have sent all that waits for it. */
  #free = 0;
  /** When each of the last `queuePackets` packets is through the bottleneck. */
  readonly #through: Float64Array | null;
  #throughCount = 0;
  #passed = 0;

  // Those that wait for their time, in the order of leaving: times never fall, so a ring does.
  readonly #items: Int32Array;
  readonly #times: Float64Array;
  readonly #mask: number;
  #head = 0;
  #tail = 0;
  #lastTime = 0;

  // Those that wait to be overtaken; at most OVERTAKERS + 1.
  readonly #held = new Int32Array(8);
  readonly #heldCopies = new Uint8Array(8);
  readonly #heldTimes = new Float64Array(8);
  readonly #heldUntil = new Float64Array(8);
  readonly #heldBehind = new Float64Array(8);
  #heldHead = 0;
  #heldTail = 0;

  /**
   * `room`, a power of two: how many packets may be under way at once. `place` tells directions and links of one seed apart:
   * packets of the same number would share their fate otherwise.
   */
  constructor(
    readonly conditions: OneWayConditions,
    room: number,
    place = 0,
  ) {
    const { rateMbit, queuePackets } = conditions;
    const seed = streamOf(conditions.seed, place);
    this.#streams = {
      loss: streamOf(seed, 1),
      duplicate: streamOf(seed, 2),
      reorder: streamOf(seed, 3),
      jitter: streamOf(seed, 4),
    };
    this.#byteMs = rateMbit > 0 ? 8 / (rateMbit * 1000) : 0;
    this.#through = rateMbit > 0 && queuePackets > 0 ? new Float64Array(queuePackets) : null;
    this.#items = new Int32Array(room);
    this.#times = new Float64Array(room);
    this.#mask = room - 1;
  }

  /** A packet came. Returns how often `leave` will give it back: 0 (it is dropped), 1 or 2. */
  enter(now: number, item: number, bytes: number): number {
    const { conditions, counts } = this;
    const n = counts.packets++;
    if (conditions.loss > 0 && chance(this.#streams.loss, n) < conditions.loss) {
      counts.lost++;
      return 0;
    }
    // Held packets have their place kept, and each packet may need two.
    if (this.#tail - this.#head + 2 * (this.#heldTail - this.#heldHead) + 2 > this.#mask) {
      counts.noRoom++;
      return 0;
    }
    let time = now;
    if (this.#byteMs > 0) {
      time = this.#passBottleneck(now, bytes);
      if (time < 0) {
        counts.queueFull++;
        return 0;
      }
    }
    time += conditions.delayMs;
    if (conditions.jitterMs > 0) {
      const jitter = conditions.jitterMs * (2 * chance(this.#streams.jitter, n) - 1);
      time = Math.max(now, time + jitter);
    }
    let copies = 1;
    if (conditions.duplicate > 0 && chance(this.#streams.duplicate, n) < conditions.duplicate) {
      counts.duplicated++;
      copies = 2;
    }
    if (conditions.reorder > 0 && chance(this.#streams.reorder, n) < conditions.reorder) {
      counts.heldBack++;
      this.#hold(now, time, item, copies);
    } else {
      this.#push(time, item, copies);
    }
    this.#passed++;
    this.#letGo(now);
    return copies;
  }

  /** The next packet whose time has come, or -1. */
  leave(now: number): number {
    if (this.#heldTail !== this.#heldHead) this.#letGo(now);
    if (this.#head === this.#tail) return -1;
    const place = this.#head & this.#mask;
    if ((this.#times[place] as number) > now) return -1;
    this.#head++;
    return this.#items[place] as number;
  }

  /** When `leave` is to be called next; Infinity: nothing waits. */
  next(): number {
    let time = Number.POSITIVE_INFINITY;
    if (this.#head !== this.#tail) time = this.#times[this.#head & this.#mask] as number;
    if (this.#heldTail !== this.#heldHead)
      time = Math.min(time, this.#heldUntil[this.#heldHead & 7] as number);
    return time;
  }

  /** When the packet is through, or -1: the queue before the bottleneck is full. */
  #passBottleneck(now: number, bytes: number): number {
    const start = Math.max(now, this.#free);
    const { queueMs } = this.conditions;
    if (this.#through) {
      const place = this.#throughCount % this.#through.length;
      if ((this.#through[place] as number) > now) return -1;
      this.#throughCount++;
      this.#free = start + bytes * this.#byteMs;
      this.#through[place] = this.#free;
      return this.#free;
    }
    if (start - now > queueMs) return -1;
    this.#free = start + bytes * this.#byteMs;
    return this.#free;
  }

  #push(time: number, item: number, copies: number): void {
    this.#lastTime = Math.max(time, this.#lastTime);
    for (let i = 0; i < copies; i++) {
      const place = this.#tail++ & this.#mask;
      this.#items[place] = item;
      this.#times[place] = this.#lastTime;
    }
  }

  #hold(now: number, time: number, item: number, copies: number): void {
    const place = this.#heldTail++ & 7;
    this.#held[place] = item;
    this.#heldCopies[place] = copies;
    this.#heldTimes[place] = time;
    this.#heldUntil[place] = now + HOLD_MS;
    this.#heldBehind[place] = this.#passed + OVERTAKERS;
  }

  #letGo(now: number): void {
    while (this.#heldHead !== this.#heldTail) {
      const place = this.#heldHead & 7;
      const overtaken = this.#passed > (this.#heldBehind[place] as number);
      if (!overtaken && (this.#heldUntil[place] as number) > now) return;
      this.#heldHead++;
      this.#push(
        this.#heldTimes[place] as number,
        this.#held[place] as number,
        this.#heldCopies[place] as number,
      );
    }
  }
}
