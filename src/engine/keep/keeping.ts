/** The main thread's half of --keep: the memory that survives, the keepers, and what an engine before has left. */

import { reapHolder } from '../../kernel/holder.js';
import { memfd } from '../../kernel/memfd.js';
import { OtherProcess } from '../../kernel/pidfd.js';
import { close } from '../../kernel/socket.js';
import { Counters } from '../counters.js';
import type { LogEvent } from '../options.js';
import { destroyForeignSockets } from '../system.js';
import type { KeepData } from './adoption.js';
import { endKeepers, findPredecessors, type Predecessor, resetKeepers } from './predecessors.js';
import { type Survey, survey } from './survey.js';
import { type KeptMaps, KeptTable, keptMaps, MEMFD_NAME, tableBytes } from './table.js';

/** A flow that has ended keeps its slot until its worker has cleaned up. */
const SPARE_SLOTS = 256;
const END_MS = 5000;

export class Keeping {
  readonly #memfd: number;
  readonly #table: KeptTable;
  readonly #pids: number[] = [];
  /** What is being taken over; null: nothing, or it is done. */
  #before: { predecessor: Predecessor; table: KeptTable; survey: Survey } | null = null;
  #adopted = false;
  abandoned = false;

  private constructor(
    readonly workers: number,
    flowLimit: number,
    readonly log: (event: LogEvent) => void,
  ) {
    const slots = flowLimit + SPARE_SLOTS;
    this.#memfd = memfd(MEMFD_NAME, tableBytes(workers, slots));
    this.#table = KeptTable.create(this.#memfd, workers, slots, Number(process.hrtime.bigint() / 1000n));
  }

  /** For an engine that takes over from a running one, which has up to `slots` flows in each worker. */
  static beside(workers: number, flowLimit: number, slots: number, log: (event: LogEvent) => void): Keeping {
    return new Keeping(workers, Math.max(flowLimit, slots), log);
  }

  /**
   * Deals with what another engine has left here; the lock of the namespace must be ours. With `keep`, the youngest whole
   * one is adopted: returns also its maps, as descriptors that are the caller's to close.
   */
  static open(
    keep: boolean,
    workers: number,
    flowLimit: number,
    log: (event: LogEvent) => void,
  ): { keeping: Keeping | null; maps: KeptMaps | null } {
    const found = findPredecessors();
    const first = found[0];
    const adoptable = keep && first?.table?.committed === true ? first : null;
    for (const predecessor of found) {
      if (predecessor === adoptable) continue;
      // One that was killed while it took over holds copies of what its own predecessor holds.
      if (adoptable) endKeepers(predecessor);
      else reportReset(resetKeepers(predecessor), predecessor, keep, log);
    }
    if (!keep) return { keeping: null, maps: null };
    const keeping = new Keeping(workers, flowLimit, log);
    return { keeping, maps: adoptable ? keeping.#begin(adoptable) : null };
  }

  #begin(predecessor: Predecessor): KeptMaps | null {
    const table = predecessor.table as KeptTable;
    const holder = predecessor.keepers[0];
    if (!holder) return null;
    const numbers = table.maps;
    const maps = Object.fromEntries(
      keptMaps.map((name) => [name, holder.process.copy(numbers[name])]),
    ) as KeptMaps;
    if (keptMaps.some((name) => maps[name] < 0)) {
      for (const name of keptMaps) if (maps[name] >= 0) close(maps[name]);
      reportReset(resetKeepers(predecessor), predecessor, true, this.log);
      return null;
    }
    this.#before = { predecessor, table, survey: survey(predecessor, table, maps.flows) };
    return maps;
  }

  /** True when taken flows go on by what is set up already. */
  get adopting(): boolean {
    return this.#before !== null || this.#adopted;
  }
  /** False while the engine before still holds all that there is. */
  get committed(): boolean {
    return this.#table.committed;
  }

  set maps(maps: KeptMaps) {
    this.#table.maps = maps;
  }

  workerData(): KeepData {
    const keepers = this.#before?.predecessor.keepers ?? [];
    return {
      memfd: this.#memfd,
      workers: this.workers,
      keepers: keepers.map(({ process, worker, memfd }) => ({ pid: process.pid, worker, memfd })),
    };
  }

  /** A worker's counters: they go on from those of the engine before. */
  counters(worker: number): Counters {
    const counters = new Counters(this.#table.buffer, this.#table.counters(worker));
    const before = this.#before?.table;
    if (before && worker === 0) {
      for (let i = 0; i < before.workers; i++) {
        counters.addAll(new Counters(before.buffer, before.counters(i)));
      }
      const { handled = 0, lost = 0 } = this.#before?.survey ?? {};
      counters.add('reset', handled + lost);
      // Each worker adds its own.
      counters.set('active', 0);
    }
    return counters;
  }

  /** The keeper of a worker, which has copied all that it adopts. */
  onKeeper(worker: number, pid: number): void {
    this.#pids[worker] = pid;
  }

  /** Workers whose keeper was killed: until they have another one, their flows end with this process. */
  bereft(): number[] {
    const found: number[] = [];
    this.#pids.forEach((pid, worker) => {
      if (pid === 0 || !reapHolder(pid)) return;
      this.#pids[worker] = 0;
      found.push(worker);
      const message = `the keeper of worker ${worker} (process ${pid}) was killed; another one is made`;
      this.log({ level: 'warn', event: 'keeperGone', message });
    });
    return found;
  }

  /** From here on this engine's keepers have the flows, and those before it are ended. Then the workers may begin. */
  commit(): void {
    this.#table.commit();
    const before = this.#before;
    if (!before) return;
    this.#before = null;
    this.#adopted = true;
    endKeepers(before.predecessor);
    destroyForeignSockets(true);
    const { adopted, handled, lost } = before.survey;
    const also = [
      handled > 0 ? `${handled} that handlers had were reset: what a handler has read is lost with it` : '',
      lost > 0 ? `${lost} that were ending, or whose keeper was killed, were reset` : '',
    ].filter((part) => part !== '');
    this.log({
      level: handled + lost > 0 ? 'warn' : 'info',
      event: 'adopted',
      message: [`${adopted} flows of the engine before go on`, ...also].join('; '),
      adopted,
      reset: handled + lost,
    });
  }

  /** Copies, for the main thread, of a worker's descriptors. Throws KernelError with nothing left open. */
  copies(worker: number, one: number, two: number): [number, number] {
    const other = new OtherProcess(this.#pids[worker] as number);
    let first = -1;
    try {
      first = other.copyKnown(one, 'a socket');
      return [first, other.copyKnown(two, 'a socket')];
    } catch (error) {
      // It would keep the flow's reset from being sent.
      if (first >= 0) close(first);
      throw error;
    } finally {
      other.close();
    }
  }

  /** Process ids. */
  get keepers(): readonly number[] {
    return this.#pids;
  }

  get table(): KeptTable {
    return this.#table;
  }

  /** Where another process finds the flows of each worker; null: a keeper was killed just now. */
  sources(): { pid: number; worker: number; memfd: number }[] | null {
    if (this.#pids.some((pid) => pid === 0)) return null;
    return this.#pids.map((pid, worker) => ({ pid, worker, memfd: this.#memfd }));
  }

  /** This engine has failed: all that it has taken is left to the next one. */
  abandon(): void {
    this.abandoned = this.committed;
  }

  /** The workers have ended: nothing is kept any more, unless it is abandoned. */
  close(): void {
    if (!this.abandoned) this.endKeepers();
    close(this.#memfd);
  }

  endKeepers(): void {
    for (const pid of this.#pids.splice(0)) {
      if (pid === 0) continue;
      try {
        const keeper = new OtherProcess(pid);
        keeper.end(END_MS);
        keeper.close();
        reapHolder(pid);
      } catch {
        // It was killed before.
      }
    }
  }
}

function reportReset(
  sockets: number,
  { table }: Predecessor,
  keep: boolean,
  log: (event: LogEvent) => void,
): void {
  const flows = Math.ceil(sockets / 2);
  const why = !keep
    ? 'this one runs without --keep'
    : table
      ? 'it was not ready, or its keeper is gone'
      : 'another version has written it';
  log({
    level: 'warn',
    event: 'notAdopted',
    message: `what an engine before has kept is not adopted, since ${why}: ${flows} flows are reset`,
    reset: flows,
  });
}
