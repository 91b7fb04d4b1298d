/** A worker's half of --keep, from its own table of descriptors to the moment when adopted flows go on. */
import { startHolder } from '../../kernel/holder.js';
import { Counters } from '../counters.js';
import type { FlowTable } from '../flow-table.js';
import type { TakenFlow } from '../taken.js';
import { adoptFlows, type KeepData, openKept, separateFiles } from './adoption.js';
import { KEEPER_NAME } from './predecessors.js';
import { KeptFlows } from './writer.js';

export class KeepingWorker {
  readonly flows: KeptFlows;
  readonly counters: Counters;
  /** False while another engine's keepers hold the flows: until then nothing of theirs is moved, nothing is taken, and no heart
   *  beats. */
  begun = false;
  #adopted: TakenFlow[] = [];

  /** To be made before the worker opens anything that its flows need. */
  constructor(
    readonly data: KeepData,
    readonly worker: number,
  ) {
    separateFiles();
    const table = openKept(data.memfd);
    this.flows = new KeptFlows(table, worker);
    this.counters = new Counters(table.buffer, table.counters(worker));
  }

  /** Takes over what belongs to this worker. Returns the keeper's process id. */
  adopt(table: FlowTable): number {
    this.#adopted = adoptFlows(table, this.flows, this.data);
    return this.startKeeper();
  }

  startKeeper(): number {
    return startHolder(`${KEEPER_NAME}${this.worker}`);
  }

  begin(goOn: (flow: TakenFlow) => void): void {
    this.begun = true;
    for (const flow of this.#adopted) goOn(flow);
    this.#adopted = [];
  }
}
