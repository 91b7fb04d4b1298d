/** What a worker counts, in memory that the main thread reads without asking. */
import { type WorkerCounter, workerCounters } from './layout.js';

export class Counters {
  readonly #values: Float64Array;
  /** `offset`: where they begin in memory that holds other things, too. */
  constructor(
    readonly shared: ArrayBufferLike = new SharedArrayBuffer(workerCounters.length * 8),
    offset = 0,
  ) {
    this.#values = new Float64Array(shared, offset, workerCounters.length);
  }
  set(name: WorkerCounter, n: number): void {
    this.#values[index[name]] = n;
  }
  add(name: WorkerCounter, n: number): void {
    const i = index[name];
    this.#values[i] = (this.#values[i] as number) + n;
  }
  addAll(other: Counters): void {
    for (const name of workerCounters) this.add(name, other.get(name));
  }
  get(name: WorkerCounter): number {
    return this.#values[index[name]] as number;
  }
}

const index = Object.fromEntries(workerCounters.map((name, i) => [name, i])) as Record<WorkerCounter, number>;
