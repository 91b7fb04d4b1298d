/** An engine lets its flows go to a new one: the main thread's part. docs/manual/upgrade.md draws it. */
import { memfd } from '../../kernel/memfd.js';
import { close } from '../../kernel/socket.js';
import type { RuleInput } from '../../policy/rules.js';
import { endOtherKeepers } from '../keep/predecessors.js';
import { KeptTable, tableBytes } from '../keep/table.js';
import { descriptorOf } from '../lock.js';
import type { FrozenWorker } from './channel.js';
import type { Crew } from './crew.js';
import type { Replaceable } from './handing-over.js';

/** Of a flow that has bytes in transit both ways; and what a process has besides. */
const DESCRIPTORS = 6;
const SPARE_DESCRIPTORS = 256;

export class Leaving implements Replaceable {
  #memfd = -1;

  constructor(
    readonly crew: Crew,
    readonly unfit: () => string | null,
    readonly flowLimit: number,
    readonly rules: () => readonly RuleInput[],
    readonly onLeft: () => void,
  ) {}

  get #slots(): number {
    return this.crew.datapath.keeping?.table.slots ?? this.flowLimit;
  }

  welcome() {
    const { datapath, counters } = this.crew;
    return {
      interfaces: datapath.interfaces,
      tuns: datapath.tuns.map(({ ifname }) => ifname),
      descriptors:
        SPARE_DESCRIPTORS + DESCRIPTORS * counters.reduce((sum, each) => sum + each.get('active'), 0),
      slots: this.#slots,
      lock: datapath.lock ? descriptorOf(datapath.lock) : -1,
      maps: datapath.allMaps,
      generation: datapath.generation,
      rules: this.rules(),
    };
  }

  async freeze(): Promise<{ table: KeptTable; workers: FrozenWorker[] }> {
    const { datapath, answers, sendAll, counters } = this.crew;
    const { keeping, tuns } = datapath;
    const workers = counters.length;
    const table = keeping?.table ?? this.#makeTable(workers);
    const memory = keeping ? null : this.#memfd;
    const parts = await answers.frozen.ask(workers, (request) =>
      sendAll({ type: 'freeze', request, memfd: memory }),
    );
    const failed = parts.find(({ error }) => error !== null);
    if (failed || parts.length < workers) throw new Error(`a worker could not stop: ${failed?.error}`);
    const sources = keeping ? keeping.sources() : null;
    if (keeping && !sources) throw new Error('a keeper was killed just now; try again in a moment');
    const frozen = parts.map((part) => {
      const { worker, used, generation, staying, at } = part;
      const source = sources?.[worker] ?? { pid: process.pid, worker, memfd: this.#memfd };
      return { ...source, used, generation, staying, at, tun: tuns[worker]?.fd ?? -1 };
    });
    return { table, workers: frozen };
  }

  #makeTable(workers: number): KeptTable {
    this.#close();
    this.#memfd = memfd('desplice-offer', tableBytes(workers, this.#slots));
    return KeptTable.create(this.#memfd, workers, this.#slots, 0);
  }

  #close(): void {
    if (this.#memfd >= 0) close(this.#memfd);
    this.#memfd = -1;
  }

  thaw(): void {
    this.#attachAgain();
    this.crew.sendAll({ type: 'thaw' });
    this.#close();
  }

  cleanAfter(): void {
    this.#attachAgain();
    endOtherKeepers(this.crew.datapath.keeping?.keepers ?? []);
  }

  #attachAgain(): void {
    const { datapath, log } = this.crew;
    try {
      datapath.attachPrograms();
      datapath.removeOthers([]);
    } catch (error) {
      const message = `the programs on the interfaces may be those of the new engine: ${(error as Error).message}`;
      log({ level: 'error', event: 'attachFailed', message });
    }
  }

  leave({ pid, gapMs }: { pid: number; gapMs: number | null }): void {
    const { datapath, answers, sendAll, counters, log } = this.crew;
    datapath.leaveSystem();
    void answers.left
      .ask(counters.length, (request) => sendAll({ type: 'leave', request }))
      .then((parts) => {
        this.#close();
        datapath.keeping?.endKeepers();
        const flows = parts.reduce((sum, part) => sum + part.flows, 0);
        const staying = counters.reduce((sum, each) => sum + each.get('active'), 0);
        log({
          level: 'info',
          event: 'replaced',
          message:
            `${flows} flows handed over to the new engine (process ${pid})` +
            `${staying > 0 ? `; ${staying} stay here until they end` : ''}`,
          flows,
          staying,
          pid,
          ...(gapMs === null ? {} : { gapMs }),
        });
        this.onLeft();
      });
  }
}
