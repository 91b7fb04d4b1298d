/**
 * desplice: step between two hosts after they have shaken hands with each other.
 *
 *     for await (const flow of intercept({ interfaces: ['eth0', 'eth1'], rules: [{ ports: [80], action: 'handle' }] })) {
 *       flow.client.pipe(flow.server).pipe(flow.client);
 *     }
 */
import { Engine } from './engine/engine.js';
import { type Flow, RELEASE_MS } from './engine/flow.js';
import type { InterceptOptions } from './engine/options.js';
import type { FlowInfo, ReleaseOutcome, Stats } from './flow/stats.js';
import type { RuleInput } from './policy/rules.js';

export type { Candidate, Decide, Decision } from './engine/decision.js';
export { EngineError } from './engine/errors.js';
export type { Flow } from './engine/flow.js';
export type { InterceptOptions, LogEvent } from './engine/options.js';
export type { Endpoint, HandshakeRecord, SynRecord } from './flow/record.js';
export { formatEndpoint } from './flow/record.js';
export type {
  FlowInfo,
  FlowState,
  ForwardReason,
  Release,
  ReleaseOutcome,
  Stats,
  SynSummary,
} from './flow/stats.js';
export type { Protocol, Seen } from './peek/seen.js';
export type { Outcome } from './policy/actions.js';
export type { ClauseInput } from './policy/clauses.js';
export { UsageError } from './policy/errors.js';
export type { ReleaseInput } from './policy/release.js';
export type { Action, RuleInput } from './policy/rules.js';

/**
 * Starts to intercept. Needs root. Iterate over the result to get the flows of rules (or decisions) that say `handle`;
 * a flow that nobody takes out of the iterator waits, with its ends stalled by their own windows.
 */
export function intercept(options: InterceptOptions): Interception {
  return new Interception(options);
}

export class Interception implements AsyncIterable<Flow>, AsyncDisposable {
  /** Resolves when packets are being watched. Rejects with EngineError or UsageError when that was not possible. */
  readonly ready: Promise<void>;
  /** Resolves when all that was set up is removed; rejects when the engine failed while it was running. */
  readonly closed: Promise<void>;
  readonly #starting: Promise<Engine>;
  readonly #waiting: Flow[] = [];
  readonly #takers: ((result: IteratorResult<Flow>) => void)[] = [];
  #over = false;
  #settle!: { resolve: () => void; reject: (error: Error) => void };

  /** @internal Use intercept(). */
  constructor(options: InterceptOptions) {
    this.closed = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.closed.catch(() => {});
    this.#starting = Engine.start(
      options,
      (flow) => this.#offer(flow),
      (error) => void this.#fail(error),
      () => this.#closeSoon(),
    );
    this.ready = this.#starting.then((engine) => {
      // Whoever waits for `ready` has heard of it by then.
      setImmediate(() => engine.dismiss());
    });
    this.ready.catch((error) => {
      this.#finish();
      this.#settle.reject(error);
    });
    const { signal } = options;
    if (signal?.aborted) this.#closeSoon();
    else signal?.addEventListener('abort', () => this.#closeSoon(), { once: true });
  }

  /** The counters now. */
  async stats(): Promise<Stats> {
    return (await this.#starting).stats();
  }

  /** The flows that are taken now. */
  async flows(): Promise<FlowInfo[]> {
    return (await this.#starting).flows();
  }

  /**
   * Gives flows back to plain forwarding (`flows()` has their ids; 'all' for all of them): neither end notices. Resolves with what became of
   * each, at the latest a little after `within` milliseconds (default 5000).
   */
  async release(ids: readonly string[] | 'all', { within = RELEASE_MS } = {}): Promise<ReleaseOutcome[]> {
    return (await this.#starting).release(ids === 'all' ? null : ids, within);
  }

  /** Puts other rules in force in one step. Throws UsageError and changes nothing when they make no sense. */
  async reload(rules: RuleInput[]): Promise<void> {
    (await this.#starting).reload(rules);
  }

  /** Takes no new flow, releases those that are taken within `drainSeconds`, resets the rest and removes all that was set up. */
  async close(): Promise<void> {
    let engine: Engine;
    try {
      engine = await this.#starting;
    } catch {
      return;
    }
    try {
      await engine.close();
      this.#settle.resolve();
    } catch (error) {
      this.#settle.reject(error as Error);
      throw error;
    } finally {
      this.#finish();
    }
  }

  /** What goes wrong is told by `closed`. */
  #closeSoon(): void {
    this.close().catch(() => {});
  }

  async #fail(error: Error): Promise<void> {
    // First the cleaning: whoever hears of the failure may end the process at once.
    try {
      await (await this.#starting).close();
    } catch {
      // What it failed of comes first.
    }
    this.#finish();
    this.#settle.reject(error);
  }

  #offer(flow: Flow): void {
    const taker = this.#takers.shift();
    if (taker) taker({ value: flow, done: false });
    else this.#waiting.push(flow);
  }

  #finish(): void {
    this.#over = true;
    for (const taker of this.#takers.splice(0)) taker({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): AsyncIterator<Flow> {
    return {
      next: async () => {
        await this.ready;
        const flow = this.#waiting.shift();
        if (flow) return { value: flow, done: false };
        if (this.#over) return { value: undefined, done: true };
        return new Promise((resolve) => this.#takers.push(resolve));
      },
      return: async () => {
        await this.close();
        return { value: undefined, done: true };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** True for errors that say what is wrong with the caller's options. */
export function isUsageError(error: unknown): boolean {
  return error instanceof Error && (error as { usage?: boolean }).usage === true;
}
