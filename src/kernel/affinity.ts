/** sched_setaffinity(2) for the calling thread: on which CPUs it may run. */
import { check, libc } from './ffi.js';

const MASK_BYTES = 128; // cpu_set_t: 1024 CPUs

const getCall = libc.func('int sched_getaffinity(int, size_t, void *)');
const setCall = libc.func('int sched_setaffinity(int, size_t, void *)');
const cpuCall = libc.func('int sched_getcpu()');

export class Affinity {
  readonly #all = new Uint8Array(MASK_BYTES);
  readonly #one = new Uint8Array(MASK_BYTES);
  #held = false;

  constructor() {
    check(getCall(0, MASK_BYTES, this.#all), 'sched_getaffinity');
  }

  /** Stay on the CPU where the thread is. */
  hold(): void {
    if (this.#held) return;
    const cpu = check(cpuCall(), 'sched_getcpu');
    this.#one.fill(0);
    this.#one[cpu >> 3] = 1 << (cpu & 7);
    // Refused when the CPU was taken away meanwhile: then the next time.
    this.#held = setCall(0, MASK_BYTES, this.#one) === 0;
  }

  /** Go where the scheduler likes. */
  free(): void {
    if (!this.#held) return;
    check(setCall(0, MASK_BYTES, this.#all), 'sched_setaffinity');
    this.#held = false;
  }
}
