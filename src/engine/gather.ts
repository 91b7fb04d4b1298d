/** Questions that go to every worker, and their answers put together. */
export class Gather<T> {
  readonly #open = new Map<number, { waiting: number; items: T[]; resolve: (items: T[]) => void }>();
  #next = 0;
  #closed = false;

  /** `ask` is called with the number of the question, which each of `workers` answers once. */
  ask(workers: number, ask: (request: number) => void): Promise<T[]> {
    const request = ++this.#next;
    return new Promise((resolve) => {
      if (workers === 0 || this.#closed) resolve([]);
      else this.#open.set(request, { waiting: workers, items: [], resolve });
      // Also those whose answer nobody waits for do what it says.
      ask(request);
    });
  }

  answer(request: number, items: readonly T[]): void {
    const question = this.#open.get(request);
    if (!question) return;
    question.items.push(...items);
    if (--question.waiting > 0) return;
    this.#open.delete(request);
    question.resolve(question.items);
  }

  /** Nobody will answer any more: whoever waits, or asks later, gets what is there. */
  close(): void {
    this.#closed = true;
    for (const { items, resolve } of this.#open.values()) resolve(items);
    this.#open.clear();
  }
}
