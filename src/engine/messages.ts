/** What the threads say to each other. Sockets go over by descriptor number: threads of one process share them. */

import type { Endpoint, HandshakeRecord } from '../flow/record.js';
import type { FlowInfo, ReleaseOutcome } from '../flow/stats.js';
import type { Seen } from '../peek/seen.js';
import type { Candidate, Decision } from './decision.js';
import type { KeepData } from './keep/adoption.js';
import type { LogEvent } from './options.js';
import type { FrozenWorker } from './replace/channel.js';
import type { FrozenPart } from './replace/freezing.js';
import type { RuleWork } from './rule-book.js';

export interface WorkerData {
  index: number;
  tun: number;
  wake: number;
  config: number;
  handshakes: number;
  flows: number;
  /** The program change_flow. */
  changeFlow: number;
  /** Null: they are in the memory that is kept. */
  counters: SharedArrayBuffer | null;
  /** The rules that come into force first. */
  rules: RulesMessage;
  /** Whether somebody wants to hear what first bytes were. */
  tellSeen: boolean;
  /** Nobody, the main thread, or the URL of a module that the worker loads. */
  decide: string;
  decideTimeoutMs: number;
  /** How long the loop stays awake for the next event; null: while it pays. */
  busyPollUs: number | null;
  /** Null: its flows end with it. */
  keep: KeepData | null;
  /** Another engine is running, with about so many descriptors: nothing is taken before `begin`. Null: none is. */
  beside: number | null;
}

/** What became of the flows of a stop. */
export interface Drained {
  released: number;
  ended: number;
  reset: number;
}

/** What a generation of the rules is about to say. */
export interface RulesMessage {
  generation: number;
  work: RuleWork[];
}

export type ToWorker =
  | ({ type: 'rules' } & RulesMessage)
  | { type: 'decision'; id: number; decision: Decision }
  | {
      type: 'relay';
      id: number;
      generation: number;
      toServer: Uint8Array | null;
      toClient: Uint8Array | null;
    }
  | { type: 'reset'; id: number; generation: number }
  | { type: 'sideClosed'; id: number; generation: number; side: 0 | 1 }
  | { type: 'list'; request: number }
  /** `flows`: their names; null: all. `within`: how long it may take, in milliseconds. */
  | { type: 'release'; request: number; flows: string[] | null; within: number }
  | { type: 'drain'; request: number; milliseconds: number }
  /** Its keeper was killed. */
  | { type: 'keep' }
  /** The engine before is gone, or has left its flows to this one: what was adopted goes on. */
  | { type: 'begin'; request: number }
  /** Copies the flows of a running engine that are on offer. */
  | { type: 'adopt'; request: number; sources: FrozenWorker[]; workers: number }
  /** Stops and writes flows down in the table `memfd`; null: they are in the one that is kept. */
  | { type: 'freeze'; request: number; memfd: number | null }
  /** All goes on as before; or the flows have gone to a new engine. */
  | { type: 'thaw' }
  | { type: 'leave'; request: number }
  | { type: 'stop' };

export type FromWorker =
  /** `keeper`: the process that holds its descriptors; 0: none. */
  | { type: 'ready'; keeper: number }
  | { type: 'keeper'; keeper: number }
  | ({ type: 'candidate'; id: number } & Candidate)
  | {
      type: 'flow';
      id: number;
      generation: number;
      name: string;
      /** The main thread's own, unless the engine keeps: then the worker's, of which it makes copies. */
      clientFd: number;
      serverFd: number;
      client: Endpoint;
      server: Endpoint;
      handshake: HandshakeRecord;
      /** Index of the rule that selected it, in this generation of the rules. */
      rule: number;
      rules: number;
      /** Of a rule that peeks: the module that a clause names, and what was seen. */
      module: string | null;
      seen: Seen | null;
    }
  | { type: 'ended'; name: string }
  | { type: 'listed'; request: number; flows: FlowInfo[] }
  | { type: 'released'; request: number; outcomes: ReleaseOutcome[] }
  | ({ type: 'drained'; request: number } & Drained)
  /** `error`: why there are none; the sources are as they were. */
  | { type: 'adopted'; request: number; flows: number; error: string | null }
  /** `at`: CLOCK_MONOTONIC in nanoseconds. */
  | { type: 'begun'; request: number; at: number }
  | ({ type: 'frozen'; request: number; worker: number; error: string | null } & FrozenPart)
  | { type: 'left'; request: number; flows: number }
  | ({ type: 'log' } & LogEvent);
