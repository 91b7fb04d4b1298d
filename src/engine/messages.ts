/** What the threads say to each other. Sockets go over by descriptor number: threads of one process share them. */

import type { Endpoint, HandshakeRecord } from '../flow/record.js';
import type { FlowInfo } from '../flow/stats.js';
import type { Action } from '../policy/rules.js';

export type Decision = 'forward' | 'relay' | 'handle' | 'reset';

/** Decisions come from the user's code: a misspelt one, or a promise, must not quietly become another. */
export function checkDecision(value: unknown): Decision {
  if (value === 'forward' || value === 'relay' || value === 'handle' || value === 'reset') return value;
  throw new TypeError(`decide returned ${String(value)}; expected forward, relay, handle or reset`);
}

export interface WorkerData {
  index: number;
  tun: number;
  wake: number;
  config: number;
  handshakes: number;
  flows: number;
  counters: SharedArrayBuffer;
  actions: Action[];
  /** Nobody, the main thread, or the URL of a module that the worker loads. */
  decide: string;
}

export type ToWorker =
  | { type: 'rules'; actions: Action[] }
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
  | {
      type: 'candidate';
      id: number;
      client: Endpoint;
      server: Endpoint;
      handshake: HandshakeRecord;
      rule: number;
      from: 'client' | 'server';
      bytes: Uint8Array;
    }
  | {
      type: 'flow';
      id: number;
      generation: number;
      clientFd: number;
      serverFd: number;
      client: Endpoint;
      server: Endpoint;
      handshake: HandshakeRecord;
      /** Index of the rule that selected it. */
      rule: number;
    }
  | { type: 'ended'; id: number; generation: number }
  | { type: 'listed'; request: number; flows: FlowInfo[] }
  | { type: 'drained' }
  | {
      type: 'log';
      level: 'info' | 'warn' | 'error';
      event: string;
      message: string;
      errno?: string;
      syscall?: string;
    };
