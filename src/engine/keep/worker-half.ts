/** A worker's half of --keep, from its own table of descriptors to the moment when adopted flows go on. */
import { startHolder } from '../../kernel/holder.js';
import { Counters } from '../counters.js';
import type { FlowTable } from '../flow-table.js';
import type { TakenFlow } from '../taken.js';
import { copyFlows, type KeepData, openKept, separateFiles, settleCopied } from './adoption.js';
import { KEEPER_NAME } from './predecessors.js';
import { KeptFlows } from './writer.js';

export class KeepingWorker {
  readonly flows: KeptFlows;
  readonly counters: Counters;

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

  /** Takes over what belongs to this worker. Returns the flows, which wait for the end of the keepers that hold them, too. */
  adopt(table: FlowTable): TakenFlow[] {
    const copied = copyFlows(table, this.flows, this.data.keepers, this.data.workers);
    return settleCopied(table, copied, () => {});
  }

  startKeeper(): number {
    return startHolder(`${KEEPER_NAME}${this.worker}`);
  }
}
