/** Counts handshakes that nobody answers. The kernel program can't: nothing happens in them. */
import { mapLookup, mapNextKey } from '../kernel/bpf.js';
import { HANDSHAKE_BYTES, HANDSHAKE_STATE, KEY_BYTES } from './layout.js';

const SYN_SENT = 1;
/** A SYN that is this old has been repeated at least once (RFC 6298: after 1 s) and is taken for unanswered. */
const PATIENCE_NS = 3_000_000_000n;
/** Entries looked at in one go: the map is large, and this runs in the thread of the user's code. */
const SLICE = 2000;

export class Unanswered {
  count = 0;
  readonly #seen = new Map<string, { began: bigint; round: number }>();
  #round = 0;
  readonly #key = Buffer.alloc(KEY_BYTES);
  readonly #value = new DataView(new ArrayBuffer(HANDSHAKE_BYTES));
  readonly #bytes = new Uint8Array(this.#value.buffer);
  #started = false;

  constructor(readonly map: number) {}

  /** Looks at the next slice of the map. `now`: CLOCK_MONOTONIC in nanoseconds. */
  sweep(now: bigint): void {
    for (let i = 0; i < SLICE; i++) {
      if (mapNextKey(this.map, this.#started ? this.#key : null, this.#key) < 0) {
        this.#started = false;
        // What this round did not meet again is gone from the map.
        for (const [id, { round }] of this.#seen) if (round < this.#round) this.#seen.delete(id);
        this.#round++;
        return;
      }
      this.#started = true;
      if (mapLookup(this.map, this.#key, this.#bytes) < 0) continue;
      if (this.#value.getUint32(HANDSHAKE_STATE, true) !== SYN_SENT) continue;
      const began = this.#value.getBigUint64(48, true);
      const id = this.#key.toString('latin1');
      if (now - began < PATIENCE_NS) continue;
      if (this.#seen.get(id)?.began !== began) this.count++;
      this.#seen.set(id, { began, round: this.#round });
    }
  }
}
