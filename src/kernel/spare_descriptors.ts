/**
 * Descriptors in reserve: accept4(2) leaves a socket in its listener's queue when there is none for it (EMFILE), where it would take
 * packets of a flow that nobody serves.
 */
import { KernelError } from './errors.js';
import { E } from './ffi.js';
import { close, duplicate } from './socket.js';

export class SpareDescriptors {
  readonly #spare: number[] = [];

  /** `some`: any descriptor that stays open. */
  constructor(
    readonly some: number,
    readonly count: number,
  ) {}

  /** False: not all of them could be had (again). */
  get ready(): boolean {
    while (this.#spare.length < this.count) {
      try {
        this.#spare.push(duplicate(this.some));
      } catch {
        return false;
      }
    }
    return true;
  }

  /** True: `result`, of a call that makes a descriptor, says that there was none, and now there is one. */
  help(result: number): boolean {
    if (result !== -E.EMFILE && result !== -E.ENFILE) return false;
    const fd = this.#spare.pop();
    if (fd === undefined) return false;
    close(fd);
    return true;
  }

  /** Calls what may throw for want of a descriptor, again while there is a spare one. */
  retry<T>(call: () => T): T {
    for (;;) {
      try {
        return call();
      } catch (error) {
        if (!(error instanceof KernelError) || !this.help(-error.errno)) throw error;
      }
    }
  }

  close(): void {
    for (const fd of this.#spare.splice(0)) close(fd);
  }
}
