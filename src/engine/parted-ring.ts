/** Flows that the tracker has ended by itself (bpf/part.h), in memory that it shares with us: looking costs no system call. */
import { Config, PARTED_BYTES, PARTED_RING } from './layout.js';

const HEAD = 0;
const TAIL = 1;
const FIRST = 2;

export class PartedRing {
  readonly #words: Int32Array;
  #tail: number;

  /** `config` is the mapping of the kernel program's configuration. What another engine has not taken out goes to this one. */
  constructor(config: ArrayBuffer, worker: number) {
    this.#words = new Int32Array(config, Config.parted + worker * PARTED_BYTES, PARTED_BYTES / 4);
    this.#tail = this.#words[TAIL] as number;
    // Another engine may have been killed between the two stores of take(): its place is empty, and others follow. The tracker leaves
    // one empty for some nanoseconds.
    const isEmpty = () => this.#tail !== this.#words[HEAD] && this.#generation() === 0;
    for (const end = performance.now() + 1; isEmpty(); ) {
      if (performance.now() < end) continue;
      this.#tail = (this.#tail + 1) | 0;
      break;
    }
    Atomics.store(this.#words, TAIL, this.#tail);
  }

  get #at(): number {
    return FIRST + 2 * ((this.#tail >>> 0) % PARTED_RING);
  }

  /** The tracker stores both words at once, and a generation is never 0. */
  #generation(): number {
    return Atomics.load(this.#words, this.#at + 1) >>> 0;
  }

  /** Tells of all that have come since the last time, once each. */
  take(onParted: (index: number, generation: number) => void): void {
    const words = this.#words;
    for (;;) {
      const at = this.#at;
      const generation = this.#generation();
      if (generation === 0) return;
      const index = words[at] as number;
      words[at + 1] = 0;
      this.#tail = (this.#tail + 1) | 0;
      Atomics.store(words, TAIL, this.#tail);
      onParted(index, generation);
    }
  }
}
