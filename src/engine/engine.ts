/** The main thread's half of the engine: starts the workers, hands their flows to the user, answers questions. */
import type { FlowInfo, Release, ReleaseOutcome } from '../flow/stats.js';
import { compileRules, type RuleInput } from '../policy/rules.js';
import { Counters } from './counters.js';
import { Datapath } from './datapath.js';
import { checkDecision, type Decide, type Decision } from './decision.js';
import { EngineError } from './errors.js';
import { Flow } from './flow.js';
import { Gather } from './gather.js';
import type { Drained, FromWorker, RulesMessage, ToWorker } from './messages.js';
import { checkOptions, type InterceptOptions } from './options.js';
import { Answers, type Crew } from './replace/crew.js';
import { HandingOver } from './replace/handing-over.js';
import { Leaving } from './replace/leaving.js';
import type { RunningEngine } from './replace/running-engine.js';
import { rulesBefore, startOrReplace, takeOver } from './replace/taking-over.js';
import { ByGeneration, workOf } from './rule-book.js';
import { type EngineStats, sumStats } from './sum-stats.js';
import { Unanswered } from './unanswered.js';
import { WorkerThread } from './worker-thread.js';

const HOUSEKEEPING_MS = 500;
const DEFAULT_DRAIN_S = 5;
const DEFAULT_FLOW_LIMIT = 100_000;
const DEFAULT_DECIDE_MS = 3000;

export class Engine {
  readonly #threads: WorkerThread[] = [];
  readonly #flows = new Map<string, Flow>();
  readonly #lists = new Gather<FlowInfo>();
  readonly #releases = new Gather<ReleaseOutcome>();
  readonly #unanswered: Unanswered;
  /** The rules as they were given, for the flows that are handed out. */
  readonly #history = new ByGeneration<readonly RuleInput[]>();
  readonly #drains = new Gather<Drained>();
  #timer: NodeJS.Timeout | null = null;
  #closing: Promise<void> | null = null;
  readonly #answers = new Answers();
  #handingOver: HandingOver | null = null;
  /** Says to the engine that was replaced that it may go. */
  #dismiss: (() => void) | null = null;

  private constructor(
    readonly datapath: Datapath,
    readonly options: InterceptOptions,
    readonly onFlow: (flow: Flow) => void,
    readonly onFailure: (error: Error) => void,
    readonly onReplaced: () => void,
  ) {
    this.#unanswered = new Unanswered(datapath.maps.handshakes);
  }

  static start(
    options: InterceptOptions,
    onFlow: (flow: Flow) => void,
    onFailure: (error: Error) => void,
    onReplaced: () => void,
  ): Promise<Engine> {
    return startOrReplace(options, (running) =>
      Engine.#start(options, onFlow, onFailure, onReplaced, running),
    );
  }

  static async #start(
    options: InterceptOptions,
    onFlow: (flow: Flow) => void,
    onFailure: (error: Error) => void,
    onReplaced: () => void,
    running: RunningEngine | null,
  ): Promise<Engine> {
    const rules = compileRules(options.rules);
    checkOptions(options);
    const workers = options.workers ?? 1;
    const datapath = await Datapath.open(
      [...new Set(options.interfaces)],
      workers,
      options.flowLimit ?? DEFAULT_FLOW_LIMIT,
      { keep: options.keep === true, log: options.log ?? (() => {}), running },
    );
    const engine = new Engine(datapath, options, onFlow, onFailure, onReplaced);
    try {
      const message = { generation: datapath.nextGeneration, work: workOf(rules) };
      engine.#history.set(datapath.nextGeneration, options.rules);
      if (running) engine.#history.set(running.welcome.generation, running.welcome.rules);
      // The ports of flows that go on must go on being looked at.
      datapath.setRules(rules, datapath.keeping?.adopting === true);
      for (let i = 0; i < workers; i++)
        engine.#threads.push(await engine.#startWorker(i, message, running?.welcome.descriptors ?? null));
      if (running) {
        const before = rulesBefore(running);
        if (before) engine.#sendAll({ type: 'rules', ...before });
        engine.#dismiss = await takeOver(running, engine.#crew());
      } else {
        datapath.attach();
        datapath.keeping?.commit();
        if (datapath.keeping) {
          datapath.beat();
          await engine.#answers.begun.ask(workers, (request) => engine.#sendAll({ type: 'begin', request }));
        }
      }
    } catch (error) {
      await engine.#stop();
      throw error;
    }
    engine.#timer = setInterval(() => engine.#housekeeping(), HOUSEKEEPING_MS);
    engine.#offerPlace();
    return engine;
  }

  #crew(): Crew {
    return {
      datapath: this.datapath,
      answers: this.#answers,
      counters: this.#threads.map(({ counters }) => counters),
      sendAll: (message) => this.#sendAll(message),
      log: (event) => this.options.log?.(event),
    };
  }

  /** From here on another engine may take our place: whoever connects to our lock. */
  #offerPlace(): void {
    const { lock } = this.datapath;
    if (!lock) return;
    const leaving = new Leaving(
      this.#crew(),
      () => (this.#closing ? 'it is stopping' : null),
      this.options.flowLimit ?? DEFAULT_FLOW_LIMIT,
      () => this.#history.get(this.datapath.generation & 0xffff) ?? [],
      () => this.onReplaced(),
    );
    this.#handingOver = new HandingOver(lock, leaving, (event) => this.options.log?.(event));
  }

  /** What others know us by is ours: whoever was replaced may go. */
  dismiss(): void {
    this.#dismiss?.();
    this.#dismiss = null;
  }

  #startWorker(index: number, rules: RulesMessage, beside: number | null): Promise<WorkerThread> {
    const { tuns, maps, changeFlow, keeping } = this.datapath;
    const counters = keeping ? keeping.counters(index) : new Counters();
    const { decide } = this.options;
    return WorkerThread.start(
      {
        index,
        tun: tuns[index]?.fd ?? -1,
        config: maps.config,
        handshakes: maps.handshakes,
        flows: maps.flows,
        changeFlow,
        counters: keeping ? null : (counters.shared as SharedArrayBuffer),
        rules,
        tellSeen: this.options.log !== undefined,
        decide: decide === undefined ? 'none' : decide instanceof URL ? decide.href : 'main',
        decideTimeoutMs: this.options.decideTimeoutMs ?? DEFAULT_DECIDE_MS,
        busyPollUs: this.options.busyPollUs ?? null,
        keep: keeping?.workerData() ?? null,
        beside,
      },
      counters,
      (thread, message) => {
        if (message.type === 'ready' || message.type === 'keeper') keeping?.onKeeper(index, message.keeper);
        else if (!this.#answers.take(message)) this.#onMessage(thread, message);
      },
      (error) => {
        this.#closeQuestions();
        // Its flows are the next engine's.
        keeping?.abandon();
        if (!this.#closing) this.onFailure(error);
      },
    );
  }

  #closeQuestions(): void {
    for (const questions of [this.#answers, this.#lists, this.#releases]) questions.close();
  }

  #onMessage(thread: WorkerThread, message: FromWorker): void {
    switch (message.type) {
      case 'candidate':
        void this.#decide(thread, message);
        break;
      case 'flow': {
        let flow: Flow;
        try {
          const rule = this.#history.get(message.rules)?.[message.rule] ?? null;
          const { keeping } = this.datapath;
          const { clientFd, serverFd } = message;
          const own = keeping
            ? keeping.copies(this.#threads.indexOf(thread), clientFd, serverFd)
            : ([clientFd, serverFd] as const);
          flow = new Flow(message, rule, (reply) => thread.send(reply), this.#releaseOne, own);
        } catch (error) {
          this.options.log?.({
            level: 'error',
            event: 'flowFailed',
            message: `a flow is reset: ${String(error)}`,
          });
          thread.send({ type: 'reset', id: message.id, generation: message.generation });
          break;
        }
        this.#flows.set(flow.id, flow);
        this.onFlow(flow);
        break;
      }
      case 'ended': {
        this.#flows.get(message.name)?.end();
        this.#flows.delete(message.name);
        break;
      }
      case 'listed':
        this.#lists.answer(message.request, message.flows);
        break;
      case 'released':
        this.#releases.answer(message.request, message.outcomes);
        break;
      case 'drained':
        this.#drains.answer(message.request, [message]);
        break;
      case 'log':
        this.options.log?.(message);
        break;
    }
  }

  async #decide(thread: WorkerThread, message: Extract<FromWorker, { type: 'candidate' }>): Promise<void> {
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
    thread.send({ type: 'decision', id, decision });
  }

  #housekeeping(): void {
    this.#unanswered.sweep(process.hrtime.bigint());
    for (const worker of this.datapath.keeping?.bereft() ?? []) {
      this.#threads[worker]?.send({ type: 'keep' });
    }
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

  stats(): EngineStats {
    return sumStats(
      this.datapath,
      this.#threads.map(({ counters }) => counters),
      this.#unanswered.count,
    );
  }

  #sendAll(message: ToWorker): void {
    for (const thread of this.#threads) thread.send(message);
  }

  flows(): Promise<FlowInfo[]> {
    return this.#lists.ask(this.#threads.length, (request) => this.#sendAll({ type: 'list', request }));
  }

  readonly #releaseOne = async (flow: string, within: number): Promise<Release> => {
    const [outcome] = await this.release([flow], within);
    const { id: _, ...release } = outcome as ReleaseOutcome;
    return release;
  };

  /** Gives flows back to plain forwarding; null: all. `within`: milliseconds. Ids of no flow have ended. */
  async release(ids: readonly string[] | null, within: number): Promise<ReleaseOutcome[]> {
    const outcomes = await this.#releases.ask(this.#threads.length, (request) =>
      this.#sendAll({ type: 'release', request, flows: ids && [...ids], within }),
    );
    const known = new Set(outcomes.map(({ id }) => id));
    const ended = (ids ?? []).filter((id) => !known.has(id));
    return [...outcomes, ...ended.map((id) => ({ id, result: 'ended' as const }))];
  }

  reload(rules: readonly RuleInput[]): void {
    if (this.#closing) throw new EngineError('CLOSED', 'the interception is closed');
    const compiled = compileRules(rules);
    const generation = this.datapath.nextGeneration;
    this.#history.set(generation, rules);
    // Before the generation comes into force: whoever meets it first finds this in his mail.
    this.#sendAll({ type: 'rules', generation, work: workOf(compiled) });
    this.datapath.setRules(compiled, true);
  }

  /** Takes no new flow, releases those that are taken, resets what is left in the end, removes all that was set up. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#handingOver?.stop();
    if (!this.datapath.keeping?.abandoned) await this.#drain();
    await this.#handingOver?.end();
    await this.#stop();
  }

  async #drain(): Promise<void> {
    this.datapath.stopSelecting();
    const milliseconds = (this.options.drainSeconds ?? DEFAULT_DRAIN_S) * 1000;
    const late = setTimeout(() => this.#drains.close(), milliseconds + 2000);
    // A worker that has died answers nothing.
    const alive = this.#threads.filter(({ isRunning }) => isRunning);
    const each = await this.#drains.ask(alive.length, (request) =>
      this.#sendAll({ type: 'drain', request, milliseconds }),
    );
    clearTimeout(late);
    const total = (what: keyof Drained) => each.reduce((sum, drained) => sum + drained[what], 0);
    const [released, ended, reset] = [total('released'), total('ended'), total('reset')];
    // What it was about has been said already.
    if (this.#handingOver?.isOver && released + ended + reset === 0) return;
    this.options.log?.({
      level: 'info',
      event: 'drained',
      message: `${released} flows released, ${ended} ended, ${reset} reset`,
      released,
      ended,
      reset,
    });
  }

  async #stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    for (const thread of this.#threads) await thread.stop();
    this.#closeQuestions();
    this.datapath.close();
    for (const flow of this.#flows.values()) flow.end();
  }
}
