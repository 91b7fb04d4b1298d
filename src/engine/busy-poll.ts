/**
 * Waiting for events without sleeping. To be woken costs a thread more than what it then does for a small segment: between
 * two programs that answer each other at once it is most of what a relay adds. So the next event is waited for awake, for a
 * moment, while events come on each other's heels; or always, for as long as the user says.
 */

/** Longest time awake, in microseconds, while nobody has said one: about the round trip to a neighbour, twice. */
const SHORT_US = 50;
/** So many waits in a row have to be shorter before staying awake pays. A short flow has fewer. */
const STREAK = 8;

export class BusyPoll {
  #streak = 0;

  /**
   * `look` is epoll_wait(2): how many events there are after so many milliseconds. `us`: how long to stay awake, in
   * microseconds; null: as long as it pays. `now`: in milliseconds and fractions of them.
   */
  constructor(
    readonly look: (timeout: number) => number,
    readonly us: number | null,
    readonly now: () => number = () => performance.now(),
  ) {}

  /** What came was of no hurry: whoever sends a stream is not waiting for us. */
  relax(): void {
    this.#streak = 0;
  }

  /** How many events there are, within `timeout` milliseconds. */
  wait(timeout: number): number {
    if (timeout === 0 || this.us === 0) return this.look(timeout);
    const began = this.now();
    const awakeUs = this.us ?? (this.#streak >= STREAK ? SHORT_US : 0);
    const until = began + Math.min(awakeUs / 1000, timeout);
    let n = 0;
    if (awakeUs > 0) {
      do n = this.look(0);
      while (n === 0 && this.now() < until);
    }
    if (n === 0) n = this.look(timeout);
    if (this.us === null) {
      const short = n > 0 && (this.now() - began) * 1000 < SHORT_US;
      this.#streak = short ? this.#streak + 1 : 0;
    }
    return n;
  }
}
