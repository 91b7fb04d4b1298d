/** Counts handshakes that nobody answers. The kernel program can't: nothing happens in them. */
import { MapWalk } from '../kernel/bpf.js';
import { HANDSHAKE_BYTES, HANDSHAKE_STARTED, HANDSHAKE_STATE, KEY_BYTES, State } from './layout.js';

/** A SYN that is this old has been repeated at least once (RFC 6298: after 1 s) and is taken for unanswered. */
const PATIENCE_NS = 3_000_000_000n;
/** Entries looked at in one go: the map is large, and this runs in the thread of the user's code. */
const SLICE = 4096;

export class Unanswered {
  count = 0;
  readonly #seen = new Map<string, { began: bigint; round: number }>();
  #round = 0;
  readonly #walk: MapWalk;
  readonly #values: DataView;

  constructor(map: number) {
    this.#walk = new MapWalk(map, KEY_BYTES, HANDSHAKE_BYTES, SLICE);
    this.#values = new DataView(this.#walk.values.buffer);
  }

  /** Looks at the next slice of the map. `now`: CLOCK_MONOTONIC in nanoseconds. */
  sweep(now: bigint): void {
    const more = this.#walk.next();
    for (let i = 0; i < this.#walk.count; i++) {
      const at = i * HANDSHAKE_BYTES;
      if (this.#values.getUint32(at + HANDSHAKE_STATE, true) !== State.SYN_SENT) continue;
      const began = this.#values.getBigUint64(at + HANDSHAKE_STARTED, true);
      if (now - began < PATIENCE_NS) continue;
      const id = Buffer.from(this.#walk.keys.buffer, i * KEY_BYTES, KEY_BYTES).toString('latin1');
      if (this.#seen.get(id)?.began !== began) this.count++;
      this.#seen.set(id, { began, round: this.#round });
    }
    if (more) return;
    // What this round did not meet again is gone from the map.
    for (const [id, { round }] of this.#seen) if (round < this.#round) this.#seen.delete(id);
    this.#round++;
  }
}
