/** What a worker counts, in memory that the main thread reads without asking. */
import { type WorkerCounter, workerCounters } from './layout.js';

export class Counters {
  readonly #values: Float64Array;
  constructor(readonly shared = new SharedArrayBuffer(workerCounters.length * 8)) {
    this.#values = new Float64Array(shared);
  }
  add(name: WorkerCounter, n: number): void {
    const i = index[name];
    this.#values[i] = (this.#values[i] as number) + n;
  }
  get(name: WorkerCounter): number {
    return this.#values[index[name]] as number;
  }
}

const index = Object.fromEntries(workerCounters.map((name, i) => [name, i])) as Record<WorkerCounter, number>;
