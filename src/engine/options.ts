import type { Seen } from '../peek/seen.js';
import type { RuleInput } from '../policy/rules.js';
import type { Decide } from './decision.js';
import { EngineError } from './errors.js';

/** Well below the second after which the tracker takes a silent engine for dead. */
const MOST_BUSY_POLL_US = 100_000;

export interface LogEvent {
  level: 'info' | 'warn' | 'error';
  event: string;
  message: string;
  syscall?: string;
  errno?: string;
  /** Of the event `drained`: what became of the flows that were taken when the engine was stopped. */
  released?: number;
  ended?: number;
  /** Of the events `drained` and `adopted`. */
  reset?: number;
  /** Of the events `adopted` and `tookOver`: flows of the engine before that go on. */
  adopted?: number;
  /** Of the event `replaced`: flows that go on in the new engine, and the process of that. */
  flows?: number;
  pid?: number;
  /** Of the events `tookOver` and `replaced`: flows that stay in the old engine, and how long the others stood still, in
   *  milliseconds. */
  staying?: number;
  gapMs?: number;
  /** Of the event `peeked`: whose first bytes, what they were, and what happens. */
  client?: string;
  server?: string;
  seen?: Seen;
  then?: string;
}

export interface InterceptOptions {
  /** Interfaces that the connections come in by: those that face the clients and those that face the servers. */
  interfaces: string[];
  /** The first rule that matches decides; none: forward. */
  rules: RuleInput[];
  /** Engine threads, 1 to 16; default 1. */
  workers?: number;
  /** How long taken flows may take to be released or to end after close(), in seconds; default 5. */
  drainSeconds?: number;
  /**
   * Flows taken at once; more, or more than there are descriptors for (two each, four with a handler), are forwarded and counted as
   * `tableFull`. Default 100,000.
   */
  flowLimit?: number;
  /**
   * Keeps relayed flows when this process is killed: another process holds their descriptors, and the next engine with
   * `keep` in this network namespace goes on with them. Default false.
   */
  keep?: boolean;
  /**
   * Takes the place of the engine that runs in this network namespace, of this version or another one of the same layout:
   * its relayed flows go on here, and it ends by itself. If this one fails before it is ready, that one goes on. With
   * nothing running it starts as usual. Default false.
   */
  replace?: boolean;
  /** Closes the interception when it fires. */
  signal?: AbortSignal;
  /**
   * Decides in place of the rules' actions. A URL names a module whose default export decides inside the engine thread,
   * at once and without a promise: the quickest way.
   */
  decide?: Decide | URL;
  /**
   * How long a `decide` function may take, in milliseconds; default 3000. After that the connection is forwarded and
   * counted as `failed`, with the log event `decideTimeout`; an answer that comes later changes nothing.
   */
  decideTimeoutMs?: number;
  /**
   * How long an engine thread that has nothing to do goes on looking before it sleeps, in microseconds, up to 100,000. It spares what
   * waking takes, and costs a CPU. Default: up to 50 while events come on each other's heels. 0: never.
   */
  busyPollUs?: number;
  log?: (event: LogEvent) => void;
}

/** What is wrong whatever machine it is, but for the rules. */
export function checkOptions({ interfaces, decideTimeoutMs = 1, busyPollUs = 0 }: InterceptOptions): void {
  const usage = (message: string, remedy?: string) =>
    new EngineError('USAGE', message, remedy, { usage: true });
  if (interfaces.length === 0)
    throw usage('no interface is named', 'name those that face the clients and the servers');
  if (!(decideTimeoutMs > 0 && decideTimeoutMs <= 0x7fffffff))
    throw usage(`found decideTimeoutMs ${decideTimeoutMs}, expected milliseconds, 1 to 2147483647`);
  if (!(busyPollUs >= 0 && busyPollUs <= MOST_BUSY_POLL_US))
    throw usage(`found a busy poll of ${busyPollUs}, expected microseconds, 0 to ${MOST_BUSY_POLL_US}`);
}
