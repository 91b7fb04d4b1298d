interface Entry<T> {
  at: number;
  what: T;
}

/** What is to be done at some time, soonest first: a binary heap. */
export class Deadlines<T> {
  readonly #heap: Entry<T>[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** When the soonest is due; Infinity: there is none. */
  get next(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  add(at: number, what: T): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push({ at, what });
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as Entry<T>;
      if (above.at <= at) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = { at, what };
  }

  /** Takes out the soonest, if it is due. */
  take(now: number): T | null {
    const heap = this.#heap;
    const first = heap[0];
    if (!first || first.at > now) return null;
    const last = heap.pop() as Entry<T>;
    if (heap.length === 0) return first.what;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      let below = heap[child];
      const right = heap[child + 1];
      if (below && right && right.at < below.at) {
        child++;
        below = right;
      }
      if (!below || below.at >= last.at) break;
      heap[i] = below;
      i = child;
    }
    heap[i] = last;
    return first.what;
  }
}
