/** The main thread's half of the engine: starts the workers, hands their flows to the user, answers questions. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { FlowInfo, Stats } from '../flow/stats.js';
import { eventfd, ring } from '../kernel/eventfd.js';
import { close } from '../kernel/socket.js';
import { compileRules, type RuleInput } from '../policy/rules.js';
import { Counters } from './counters.js';
import { Datapath } from './datapath.js';
import { checkDecision, type Decide, type Decision } from './decision.js';
import { EngineError } from './errors.js';
import { Flow } from './flow.js';
import type { FromWorker, ToWorker, WorkerData } from './messages.js';
import type { InterceptOptions } from './options.js';
import { RuleHistory } from './rule-actions.js';
import { Unanswered } from './unanswered.js';

const HOUSEKEEPING_MS = 500;
const DEFAULT_DRAIN_S = 5;
const DEFAULT_FLOW_LIMIT = 100_000;
const DEFAULT_DECIDE_MS = 3000;

interface Thread {
  worker: Worker;
  port: MessagePort;
  wake: number;
  counters: Counters;
}

export class Engine {
  readonly #threads: Thread[] = [];
  readonly #flows = new Map<string, Flow>();
  readonly #lists = new Map<
    number,
    { waiting: number; flows: FlowInfo[]; resolve: (flows: FlowInfo[]) => void }
  >();
  readonly #unanswered: Unanswered;
  readonly #history = new RuleHistory();
  #nextRequest = 0;
  #drained: (() => void) | null = null;
  #undrained = 0;
  #timer: NodeJS.Timeout | null = null;
  #closing: Promise<void> | null = null;

  private constructor(
    readonly datapath: Datapath,
    readonly options: InterceptOptions,
    readonly onFlow: (flow: Flow) => void,
    readonly onFailure: (error: Error) => void,
  ) {
    this.#unanswered = new Unanswered(datapath.maps.handshakes);
  }

  static async start(
    options: InterceptOptions,
    onFlow: (flow: Flow) => void,
    onFailure: (error: Error) => void,
  ): Promise<Engine> {
    const rules = compileRules(options.rules);
    if (options.interfaces.length === 0) {
      throw new EngineError(
        'USAGE',
        'no interface is named',
        'name those that face the clients and the servers',
        { usage: true },
      );
    }
    const { decideTimeoutMs = DEFAULT_DECIDE_MS } = options;
    if (!(decideTimeoutMs > 0 && decideTimeoutMs <= 0x7fffffff)) {
      throw new EngineError(
        'USAGE',
        `found decideTimeoutMs ${decideTimeoutMs}, expected milliseconds, 1 to 2147483647`,
        undefined,
        { usage: true },
      );
    }
    const workers = options.workers ?? 1;
    const datapath = await Datapath.open(
      [...new Set(options.interfaces)],
      workers,
      options.flowLimit ?? DEFAULT_FLOW_LIMIT,
    );
    const engine = new Engine(datapath, options, onFlow, onFailure);
    try {
      engine.#history.set(datapath.nextGeneration, options.rules);
      datapath.setRules(rules, false);
      for (let i = 0; i < workers; i++) engine.#threads.push(await engine.#startWorker(i));
      datapath.attach();
    } catch (error) {
      await engine.#stop();
      throw error;
    }
    engine.#timer = setInterval(() => engine.#housekeeping(), HOUSEKEEPING_MS);
    return engine;
  }

  #startWorker(index: number): Promise<Thread> {
    const { port1, port2 } = new MessageChannel();
    const wake = eventfd();
    const counters = new Counters();
    const { decide } = this.options;
    const data: WorkerData & { port: MessagePort } = {
      index,
      tun: this.datapath.tuns[index]?.fd ?? -1,
      wake,
      config: this.datapath.maps.config,
      handshakes: this.datapath.maps.handshakes,
      flows: this.datapath.maps.flows,
      counters: counters.shared,
      actions: this.#history.actions.shared,
      decide: decide === undefined ? 'none' : decide instanceof URL ? decide.href : 'main',
      decideTimeoutMs: this.options.decideTimeoutMs ?? DEFAULT_DECIDE_MS,
      port: port2,
    };
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: data,
      transferList: [port2],
    });
    const thread = { worker, port: port1, wake, counters };
    return new Promise((resolve, reject) => {
      worker.once('error', (error) => {
        reject(error);
        if (!this.#closing) this.onFailure(error);
      });
      port1.on('message', (message: FromWorker) => {
        if (message.type === 'ready') resolve(thread);
        else this.#onMessage(thread, message);
      });
    });
  }

  #send(thread: Thread, message: ToWorker): void {
    thread.port.postMessage(message);
    ring(thread.wake);
  }

  #onMessage(thread: Thread, message: FromWorker): void {
    switch (message.type) {
      case 'candidate':
        void this.#decide(thread, message);
        break;
      case 'flow': {
        let flow: Flow;
        try {
          const rule = this.#history.get(message.rules, message.rule);
          flow = new Flow(message, rule, (reply) => this.#send(thread, reply));
        } catch (error) {
          this.options.log?.({
            level: 'error',
            event: 'flowFailed',
            message: `a flow is reset: ${String(error)}`,
          });
          this.#send(thread, { type: 'reset', id: message.id, generation: message.generation });
          break;
        }
        this.#flows.set(`${this.#threads.indexOf(thread)}/${flow.id}`, flow);
        this.onFlow(flow);
        break;
      }
      case 'ended': {
        const key = `${this.#threads.indexOf(thread)}/${message.id}.${message.generation}`;
        this.#flows.get(key)?.end();
        this.#flows.delete(key);
        break;
      }
      case 'listed': {
        const list = this.#lists.get(message.request);
        if (!list) break;
        list.flows.push(...message.flows);
        if (--list.waiting > 0) break;
        this.#lists.delete(message.request);
        list.resolve(list.flows);
        break;
      }
      case 'drained':
        if (--this.#undrained === 0) this.#drained?.();
        break;
      case 'log':
        this.options.log?.(message);
        break;
    }
  }

  async #decide(thread: Thread, message: Extract<FromWorker, { type: 'candidate' }>): Promise<void> {
    const { id, type: _, ...candidate } = message;
    let decision: Decision = 'forward';
    try {
      decision = checkDecision(await (this.options.decide as Decide)(candidate));
    } catch (error) {
      this.options.log?.({
        level: 'error',
        event: 'decideFailed',
        message: `decide threw, the flow is forwarded: ${String(error)}`,
      });
    }
    this.#send(thread, { type: 'decision', id, decision });
  }

  #housekeeping(): void {
    this.#unanswered.sweep(process.hrtime.bigint());
    const gone = this.datapath.vanished();
    if (gone.length > 0 && !this.#closing) {
      this.onFailure(
        new EngineError(
          'INTERFACE_GONE',
          `the interface ${gone.join(', ')} is gone`,
          'start again when it is back',
        ),
      );
    }
  }

  stats(): Stats & { forwarded: { byOption: Record<string, number> } } {
    const kernel = this.datapath.counters();
    const sum = (name: Parameters<Counters['get']>[0]) =>
      this.#threads.reduce((total, thread) => total + thread.counters.get(name), 0);
    return {
      handshakes: {
        seen: kernel.seen,
        completed: kernel.completed,
        refused: kernel.refused,
        unanswered: this.#unanswered.count,
      },
      flows: {
        intercepted: sum('intercepted'),
        active: sum('active'),
        closed: sum('closed'),
        reset: sum('reset'),
        released: sum('released'),
      },
      forwarded: {
        unmatched: kernel.unmatched,
        noData: kernel.noData,
        asymmetric: kernel.asymmetric,
        unsupportedOption: kernel.unsupportedOption,
        byOption: this.datapath.byOption(),
        dataInSyn: kernel.dataInSyn,
        simultaneousOpen: kernel.simultaneousOpen,
        midstream: kernel.midstream,
        tableFull: sum('tableFull'),
        engineStale: kernel.engineStale,
        failed: sum('failed'),
        decided: kernel.decided + sum('decided'),
        endedInHold: sum('endedInHold'),
        ecn: kernel.ecn + sum('ecn'),
      },
      bytes: { toServer: sum('toServer'), toClient: sum('toClient') },
    };
  }

  flows(): Promise<FlowInfo[]> {
    const request = ++this.#nextRequest;
    return new Promise((resolve) => {
      this.#lists.set(request, { waiting: this.#threads.length, flows: [], resolve });
      for (const thread of this.#threads) this.#send(thread, { type: 'list', request });
    });
  }

  reload(rules: readonly RuleInput[]): void {
    const compiled = compileRules(rules);
    this.#history.set(this.datapath.nextGeneration, rules);
    this.datapath.setRules(compiled, true);
  }

  /** Takes no new flow, gives those that are taken time to end, resets the rest, removes all that was set up. */
  close(): Promise<void> {
    this.#closing ??= this.#drain().then(() => this.#stop());
    return this.#closing;
  }

  async #drain(): Promise<void> {
    this.datapath.stopSelecting();
    const milliseconds = (this.options.drainSeconds ?? DEFAULT_DRAIN_S) * 1000;
    this.#undrained = this.#threads.length;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
      for (const thread of this.#threads) this.#send(thread, { type: 'drain', milliseconds });
      // A worker that has died answers nothing.
      setTimeout(resolve, milliseconds + 2000).unref();
    });
  }

  async #stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    for (const thread of this.#threads) {
      this.#send(thread, { type: 'stop' });
      await Promise.race([
        new Promise((resolve) => thread.worker.once('exit', resolve)),
        new Promise((resolve) => setTimeout(resolve, 2000).unref()),
      ]);
      await thread.worker.terminate();
      thread.port.close();
      close(thread.wake);
    }
    this.datapath.close();
    for (const flow of this.#flows.values()) flow.end();
  }
}
