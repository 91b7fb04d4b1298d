/** What a case of the audit is, and what it may find. */
import type { Family } from './calls.js';
import type { Stage } from './stage.js';

export type Verdict = 'right' | 'wrong' | 'differs' | 'not tested';

export const groups = [
  'handshake',
  'options',
  'mss',
  'path-mtu',
  'ip-header',
  'addresses',
  'teardown',
  'liveness',
  'data',
  'ipv6',
  'routing',
  'security',
] as const;
export type Group = (typeof groups)[number];

/** What each end has seen, in words. */
export interface Seen {
  client: string;
  server: string;
}

export interface Found {
  verdict: Verdict;
  reason: string;
  seen: Seen;
}

export interface AuditCase {
  /** Stable: scripts and reports name it. */
  id: string;
  group: Group;
  /** Numbers of the catalogue of faults that it can tell. */
  faults: readonly number[];
  /** What a path does that is right, and the standard that says so. */
  right: string;
  standard: string;
  /** What goes wrong for whoever uses the path, and what to change on the box. */
  consequence: string;
  mend: string;
  /** What is sent, in words. */
  sent: string;
  /** `raw`: needs packets by hand at both ends; `sockets`: runs without privileges. */
  by: 'raw' | 'sockets';
  families?: readonly Family[];
  /** Why it says nothing where the connection must begin with an exchange of another protocol. */
  bare?: string;
  run(stage: Stage): Promise<Found>;
}

type Maybe = string | false | null | undefined;

/** The first complaint that is none of false, null and '' decides; what is only different counts when nothing is wrong. */
export function found(
  seen: Seen,
  wrong: Maybe | readonly Maybe[],
  differs: Maybe | readonly Maybe[] = [],
): Found {
  const first = (all: Maybe | readonly Maybe[]) => [all].flat().find((each): each is string => !!each);
  const bad = first(wrong);
  const other = first(differs);
  if (bad) return { verdict: 'wrong', reason: bad, seen };
  if (other) return { verdict: 'differs', reason: other, seen };
  return { verdict: 'right', reason: 'as it should be', seen };
}

/** The case says nothing: what it needs did not come about, and another case tells why. */
export class NotTested extends Error {
  constructor(
    readonly why: string,
    readonly seen: Seen = { client: 'nothing', server: 'nothing' },
  ) {
    super(why);
    this.name = 'NotTested';
  }
}
