/** A worker's part in a hand-over: what it adopts from a running engine, and how it stops for a new one. */
import { monotonic } from '../clock.js';
import type { Intake } from '../intake.js';
import type { FromWorker, ToWorker } from '../messages.js';
import type { PartedRing } from '../parted-ring.js';
import type { Relaying } from '../relaying.js';
import type { TakenFlow } from '../taken.js';
import type { TunWriter } from '../tun-writer.js';
import { Adopting } from './adopting.js';
import type { Freezing } from './freezing.js';

type Message<T extends ToWorker['type']> = Extract<ToWorker, { type: T }>;

export class WorkerHandOver {
  #adopting: Adopting | null = null;
  /** To be done at the end of the turn: what epoll has told is not told again. */
  #asked: Message<'freeze'> | null = null;

  constructor(
    readonly freezing: Freezing,
    readonly post: (message: FromWorker) => void,
  ) {}

  adopt({ request, sources, workers }: Message<'adopt'>): void {
    let error: string | null = null;
    try {
      this.#adopting = new Adopting(this.freezing.table, sources, workers);
    } catch (cause) {
      error = String(cause);
    }
    this.post({ type: 'adopted', request, flows: this.#adopting?.count ?? 0, error });
  }

  /** What was adopted is ours. `before`: flows of an engine that is gone, which go on as well. */
  begin(request: number, before: readonly TakenFlow[], parted: PartedRing, relaying: Relaying): void {
    const flows = this.#adopting?.begin(parted) ?? before;
    for (const flow of flows) relaying.adopt(flow, [null, null]);
    relaying.settle(monotonic());
    this.post({ type: 'begun', request, at: Number(process.hrtime.bigint()) });
  }

  /** Behind `begin`: what the other engine has held and not read. */
  takeHeld(intake: Intake, tun: TunWriter): void {
    this.#adopting?.takeHeld(intake, tun);
    this.#adopting = null;
  }

  /** Nothing of what was adopted has become ours. */
  abandon(): void {
    this.#adopting?.abandon();
  }

  ask(message: Message<'freeze'>): void {
    this.#asked = message;
  }

  /** Once a turn of the loop, at its end. */
  settle(): void {
    if (!this.#asked) return;
    const { request, memfd } = this.#asked;
    this.#asked = null;
    const { worker } = this.freezing.table;
    try {
      this.post({ type: 'frozen', request, worker, error: null, ...this.freezing.freeze(memfd) });
    } catch (cause) {
      const nothing = { used: 0, generation: 0, staying: [], at: 0 };
      this.post({ type: 'frozen', request, worker, error: String(cause), ...nothing });
    }
  }
}
