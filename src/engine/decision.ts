/** What is decided, on what, and by whom. */
import type { Endpoint, HandshakeRecord } from '../flow/record.js';

export type Decision = 'forward' | 'relay' | 'handle' | 'reset';

/** A connection whose first data is held until you have decided. */
export interface Candidate {
  client: Endpoint;
  server: Endpoint;
  handshake: HandshakeRecord;
  /** Index of the rule that selected it. */
  rule: number;
  /** Who spoke first. */
  from: 'client' | 'server';
  /** The payload of the first held segment: at most one MSS. */
  bytes: Uint8Array;
}

/**
 * `forward`: nobody was ever there, and no socket is made. `relay`: bytes move in the kernel. `handle`: the flow comes
 * out of the iterator. `reset`: both ends are reset. When it throws, the flow is forwarded.
 */
export type Decide = (candidate: Candidate) => Decision | Promise<Decision>;

/** Decisions come from the user's code: a misspelt one, or a promise, must not quietly become another. */
export function checkDecision(value: unknown): Decision {
  if (value === 'forward' || value === 'relay' || value === 'handle' || value === 'reset') return value;
  throw new TypeError(`decide returned ${String(value)}; expected forward, relay, handle or reset`);
}
