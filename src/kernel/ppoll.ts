/** ppoll(2): waits for descriptors to become readable, to the microsecond. */
import { check, E, errno, libc } from './ffi.js';

const POLLIN = 1;
const PR_SET_TIMERSLACK = 29;

const ppollCall = libc.func('int ppoll(void *, ulong, void *, void *)');
const prctlCall = libc.func('int prctl(int, ulong, ulong, ulong, ulong)');

/** How late timers of this thread may be; 50 µs unless told (prctl(2), PR_SET_TIMERSLACK). */
export function setTimerSlack(nanoseconds: number): void {
  check(prctlCall(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0), 'prctl', 'PR_SET_TIMERSLACK');
}

export class Poll {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #time = new DataView(new ArrayBuffer(16));
  readonly #timeBytes = new Uint8Array(this.#time.buffer);

  constructor(readonly fds: number[]) {
    this.#view = new DataView(new ArrayBuffer(8 * fds.length));
    this.#bytes = new Uint8Array(this.#view.buffer);
    fds.forEach((fd, i) => {
      this.#view.setInt32(8 * i, fd, true);
      this.#view.setInt16(8 * i + 4, POLLIN, true);
    });
  }

  /** Returns once a descriptor is ready or the time is over; Infinity waits for ever. */
  wait(milliseconds: number): void {
    const finite = milliseconds < Number.POSITIVE_INFINITY;
    if (finite) {
      const seconds = Math.floor(milliseconds / 1000);
      this.#time.setUint32(0, seconds, true);
      this.#time.setUint32(8, Math.min(999_999_999, Math.round((milliseconds - seconds * 1000) * 1e6)), true);
    }
    const n = ppollCall(this.#bytes, this.fds.length, finite ? this.#timeBytes : null, null);
    if (n < 0 && errno() !== E.EINTR) check(n, 'ppoll');
  }

  /** Readable, or in error: reading tells which. */
  ready(i: number): boolean {
    return this.#view.getInt16(8 * i + 6, true) !== 0;
  }
}
