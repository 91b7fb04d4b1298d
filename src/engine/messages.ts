/** What the threads say to each other. Sockets go over by descriptor number: threads of one process share them. */

import type { Endpoint, HandshakeRecord } from '../flow/record.js';
import type { FlowInfo } from '../flow/stats.js';
import type { Candidate, Decision } from './decision.js';
import type { LogEvent } from './options.js';

export interface WorkerData {
  index: number;
  tun: number;
  wake: number;
  config: number;
  handshakes: number;
  flows: number;
  counters: SharedArrayBuffer;
  /** Of RuleActions. */
  actions: SharedArrayBuffer;
  /** Nobody, the main thread, or the URL of a module that the worker loads. */
  decide: string;
  decideTimeoutMs: number;
}

export type ToWorker =
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
  | { type: 'drain'; milliseconds: number }
  | { type: 'stop' };

export type FromWorker =
  | { type: 'ready' }
  | ({ type: 'candidate'; id: number } & Candidate)
  | {
      type: 'flow';
      id: number;
      generation: number;
      clientFd: number;
      serverFd: number;
      client: Endpoint;
      server: Endpoint;
      handshake: HandshakeRecord;
      /** Index of the rule that selected it, in this generation of the rules. */
      rule: number;
      rules: number;
    }
  | { type: 'ended'; id: number; generation: number }
  | { type: 'listed'; request: number; flows: FlowInfo[] }
  | { type: 'drained' }
  | ({ type: 'log' } & LogEvent);
