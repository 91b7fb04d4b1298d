/** The main thread's half of both sides: how an engine brings a running one's flows over, and how it lets its own go. */
import { mapDelete, mapLookup } from '../../kernel/bpf.js';
import { memfd } from '../../kernel/memfd.js';
import { close } from '../../kernel/socket.js';
import { compileRules, type RuleInput } from '../../policy/rules.js';
import { Counters } from '../counters.js';
import type { Datapath } from '../datapath.js';
import { EngineError } from '../errors.js';
import { Gather } from '../gather.js';
import { endOtherKeepers } from '../keep/predecessors.js';
import { KeptTable, tableBytes } from '../keep/table.js';
import { FLOW_BYTES, FLOW_ID } from '../layout.js';
import type { FromWorker, RulesMessage, ToWorker } from '../messages.js';
import type { LogEvent } from '../options.js';
import { workOf } from '../rule-book.js';
import { destroyForeignSockets } from '../system.js';
import type { FrozenWorker } from './channel.js';
import { faultPoint } from './fault.js';
import type { Replaceable } from './handing-over.js';
import type { RunningEngine } from './running-engine.js';

/** Of a flow that has bytes in transit both ways; and what a process has besides. */
const DESCRIPTORS = 6;
const SPARE_DESCRIPTORS = 256;

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

/** Under which a running engine has selected connections that say nothing yet; null: this version does not know such rules. */
export function rulesBefore(running: RunningEngine): RulesMessage | null {
  const { generation, rules } = running.welcome;
  try {
    return { generation, work: workOf(compileRules(rules)) };
  } catch {
    return null;
  }
}

/** Takes the place of a running engine, all workers being ready. Throws with that one going on. Returns what is to be said when
 *  the new one has its names. */
export async function takeOver(running: RunningEngine, crew: Crew): Promise<() => void> {
  const { datapath, answers, sendAll } = crew;
  const workers = crew.counters.length;
  datapath.prepareSystem();
  // Also after its death.
  const lock = running.copy(running.welcome.lock);
  const ports = running.ports();
  try {
    faultPoint('prepared');
    const { workers: sources, table } = await running.freeze();
    faultPoint('frozen');
    for (const { worker } of sources) addCounters(crew, table, worker);
    const adopted = await answers.adopted.ask(workers, (request) =>
      sendAll({ type: 'adopt', request, sources, workers }),
    );
    const failed = adopted.find(({ error }) => error !== null);
    if (failed || adopted.length < workers) {
      throw new EngineError('REPLACE', `a worker could not take over: ${failed?.error ?? 'it has died'}`);
    }
    faultPoint('adopted');
    datapath.addPorts(ports);
    datapath.beat();
    datapath.attachPrograms();
    faultPoint('attached');
    if (!running.take()) {
      throw new EngineError(
        'REPLACE',
        'the running engine goes on, since this one was too slow to take over',
      );
    }
    datapath.keeping?.commit();
    running.whenGone(() => forgetStaying(datapath.maps.flows, sources));
    faultPoint('taken');
    const begun = await answers.begun.ask(workers, (request) => sendAll({ type: 'begin', request }));
    const flows = adopted.reduce((sum, each) => sum + each.flows, 0);
    const staying = sources.reduce((sum, each) => sum + each.staying.length, 0);
    const frozenAt = Math.min(...sources.map(({ at }) => at));
    const gapMs = Math.round((Math.max(...begun.map(({ at }) => at)) - frozenAt) / 1e4) / 100;
    await datapath.takeSystem(lock);
    datapath.removeOthers(running.welcome.tuns);
    crew.log({
      level: 'info',
      event: 'tookOver',
      message:
        `${flows} flows of the running engine (process ${running.pid}, version ${running.welcome.version}) go on here after ` +
        `${gapMs} ms${staying > 0 ? `; ${staying} stay there until they end` : ''}`,
      adopted: flows,
      staying,
      gapMs,
    });
    return () => running.done(gapMs);
  } catch (error) {
    close(lock);
    throw error;
  }
}

/** Flows that had stayed in an engine that is gone: it has removed all of them itself, unless it was killed. */
function forgetStaying(flows: number, sources: readonly FrozenWorker[]): void {
  if (sources.every(({ staying }) => staying.length === 0)) return;
  const newest = Math.max(...sources.map(({ generation }) => generation));
  const value = new Uint8Array(FLOW_BYTES);
  const words = new DataView(value.buffer);
  for (const { staying } of sources) {
    for (const text of staying) {
      const key = Buffer.from(text, 'hex');
      // Younger flows with these ports are ours.
      if (mapLookup(flows, key, value) === 0 && words.getUint32(FLOW_ID + 4, true) <= newest)
        mapDelete(flows, key);
    }
  }
  destroyForeignSockets(true);
}

function addCounters({ counters }: Crew, table: KeptTable, worker: number): void {
  const [first] = counters;
  first?.addAll(new Counters(table.buffer, table.counters(worker)));
  // Each worker adds its own.
  first?.set('active', 0);
}

/** The engine's side of being replaced. */
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
      lock: datapath.lockDescriptor,
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
