import type { Protocol, Seen } from '../peek/seen.js';

/** Why a flow was left to plain forwarding. Names are those of `desplice stats --json`. */
export const forwardReasons = [
  'unmatched',
  'noData',
  'asymmetric',
  'unsupportedOption',
  'dataInSyn',
  'simultaneousOpen',
  'midstream',
  'tableFull',
  'engineStale',
  'failed',
  'decided',
  'endedInHold',
  'ecn',
] as const;
export type ForwardReason = (typeof forwardReasons)[number];

/** Every number is a count since the start of the engine, or of the one whose flows it goes on with, except `flows.active`,
 *  which is now. */
export interface Stats {
  handshakes: { seen: number; completed: number; refused: number; unanswered: number };
  flows: { intercepted: number; active: number; closed: number; reset: number; released: number };
  forwarded: Record<ForwardReason, number>;
  bytes: { toServer: number; toClient: number };
  /** Connections whose first bytes were looked at (rules that say `peek`), by what they were. */
  protocols: Record<Protocol, number>;
}

export type FlowState = 'relay' | 'handle' | 'peek' | 'closing' | 'releasing';

/** One taken flow, as `desplice flows --json` prints it. */
export interface FlowInfo {
  id: string;
  client: string;
  server: string;
  state: FlowState;
  action: 'relay' | 'handle';
  /** ISO 8601, UTC, milliseconds. */
  since: string;
  bytes: { toServer: number; toClient: number };
  handshake: {
    client: SynSummary;
    server: SynSummary;
  };
  /** What its first bytes were, where a rule says `peek`. */
  seen?: Seen;
}

/** `released`: the ends talk to each other alone. `ended`: the connection was over first. `refused`: it goes on as before. */
export type Release = { result: 'released' } | { result: 'ended' } | { result: 'refused'; reason: string };

/** What became of one flow that was to be released. */
export type ReleaseOutcome = { id: string } & Release;

export interface SynSummary {
  mss: number | null;
  windowScale: number | null;
  sackPermitted: boolean;
  timestamps: boolean;
  ecn: boolean;
  ttl: number;
}
