/** What the main thread's part in a hand-over needs of its engine, on both sides. */
import type { Counters } from '../counters.js';
import type { Datapath } from '../datapath.js';
import { Gather } from '../gather.js';
import type { FromWorker, ToWorker } from '../messages.js';
import type { LogEvent } from '../options.js';

type Answer<T extends FromWorker['type']> = Extract<FromWorker, { type: T }>;

/** What the workers answer about a hand-over. */
export class Answers {
  readonly adopted = new Gather<Answer<'adopted'>>();
  readonly frozen = new Gather<Answer<'frozen'>>();
  readonly left = new Gather<Answer<'left'>>();
  readonly begun = new Gather<Answer<'begun'>>();

  take(message: FromWorker): boolean {
    if (message.type === 'adopted') this.adopted.answer(message.request, [message]);
    else if (message.type === 'frozen') this.frozen.answer(message.request, [message]);
    else if (message.type === 'left') this.left.answer(message.request, [message]);
    else if (message.type === 'begun') this.begun.answer(message.request, [message]);
    else return false;
    return true;
  }

  /** A worker is gone, and answers nothing. */
  close(): void {
    for (const gather of [this.adopted, this.frozen, this.left, this.begun]) gather.close();
  }
}

/** What both sides need of their engine. */
export interface Crew {
  readonly datapath: Datapath;
  readonly answers: Answers;
  readonly counters: readonly Counters[];
  readonly sendAll: (message: ToWorker) => void;
  readonly log: (event: LogEvent) => void;
}
