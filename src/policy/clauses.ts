/** The clauses of a rule that peeks: what was seen decides what happens. */
import { type Protocol, protocols, type Seen } from '../peek/seen.js';
import { type Outcome, type OutcomeName, parseOutcome } from './actions.js';
import { quote, UsageError } from './errors.js';
import { matchesName, type NamePattern, parseNamePattern } from './names.js';
import { parseRelease, type Release, type ReleaseInput } from './release.js';

type OneOrMore<T> = T | readonly T[];

/** All that a clause says must hold; of a list, one item. */
export interface ClauseInput {
  /** TLS: the server name. `www.example.com`, `*.example.com` or `*`. */
  sni?: OneOrMore<string> | undefined;
  /** TLS: a protocol that the client offers. */
  alpn?: OneOrMore<string> | undefined;
  /** HTTP/1: the host that the request is for. */
  'http.host'?: OneOrMore<string> | undefined;
  'http.method'?: OneOrMore<string> | undefined;
  protocol?: OneOrMore<Protocol> | undefined;
  then: Outcome;
  /** With `then: relay`: when the flow goes back to plain forwarding. Default: that of the rule. */
  release?: ReleaseInput | undefined;
}

/** What of a rule concerns peeking. */
export interface PeekInput {
  /** The first clause that holds decides. */
  when?: readonly ClauseInput[] | undefined;
  /** When none holds. Default: forward. */
  otherwise?: Outcome | undefined;
  release?: ReleaseInput | undefined;
}

/** What is to happen. */
export interface Then {
  action: OutcomeName;
  /** Of `handle=MODULE`. */
  module: string | null;
  /** Of `relay`; null: relayed to its end. */
  release: Release | null;
}

/** Plain values, which a message between threads can carry. Null: anything will do. */
interface CompiledClause {
  sni: NamePattern[] | null;
  /** `*`: any. */
  alpn: string[] | null;
  host: NamePattern[] | null;
  /** In upper case. `*`: any. */
  method: string[] | null;
  protocol: Protocol[] | null;
  outcome: Then;
}

export interface CompiledPeek {
  clauses: CompiledClause[];
  otherwise: Then;
}

/** What each criterion takes, one item of it. */
export const criteria = {
  sni: parseNamePattern,
  alpn: parseAlpn,
  'http.host': parseNamePattern,
  'http.method': parseMethod,
  protocol: parseProtocol,
} as const;
const criterionNames = Object.keys(criteria) as (keyof typeof criteria)[];
export const clauseKeys: readonly string[] = [...criterionNames, 'then', 'release'];

/** The first clause that holds decides. */
export function decideByNames({ clauses, otherwise }: CompiledPeek, seen: Seen): Then {
  return clauses.find((clause) => holds(clause, seen))?.outcome ?? otherwise;
}

function holds({ sni, alpn, host, method, protocol }: CompiledClause, seen: Seen): boolean {
  return (
    (protocol === null || protocol.includes(seen.protocol)) &&
    (sni === null || sni.some((pattern) => matchesName(pattern, seen.sni))) &&
    (host === null || host.some((pattern) => matchesName(pattern, seen.host))) &&
    (method === null || matchesWord(method, seen.method ? [seen.method.toUpperCase()] : [])) &&
    (alpn === null || matchesWord(alpn, seen.alpn ?? []))
  );
}

function matchesWord(wanted: readonly string[], said: readonly string[]): boolean {
  return said.some((word) => wanted.includes(word) || wanted.includes('*'));
}

export function compilePeek({ when = [], otherwise = 'forward', release }: PeekInput): CompiledPeek {
  if (!Array.isArray(when)) throw new UsageError(`when: found ${quote(when)}, expected a list of clauses`);
  const usual = release === undefined ? null : parseRelease(release);

  return {
    clauses: when.map((clause) => compileClause(clause, usual)),
    otherwise: compileOutcome(otherwise, usual),
  };
}

export function mayRelay({ clauses, otherwise }: CompiledPeek): boolean {
  return [...clauses.map(({ outcome }) => outcome), otherwise].some(({ action }) => action === 'relay');
}

/** What a clause must and must not say, whatever its values are. */
export function checkClause(clause: Record<string, unknown>): void {
  if (criterionNames.every((name) => clause[name] === undefined)) {
    throw new UsageError(
      `the clause says nothing that must hold, expected at least one of ${criterionNames.join(', ')}`,
      'What happens when no clause holds stands in `otherwise` of the rule.',
    );
  }
  if (clause.release !== undefined && clause.then !== 'relay') {
    throw new UsageError(
      `release goes with then: relay, and not with ${quote(clause.then)}`,
      'Leave it out, or write `then: relay`.',
    );
  }
}

function compileClause(clause: ClauseInput, usual: Release | null): CompiledClause {
  if (typeof clause !== 'object' || clause === null) {
    throw new UsageError(`found clause ${quote(clause)}, expected an object with ${clauseKeys.join(', ')}`);
  }
  const unknown = Object.keys(clause).find((key) => !clauseKeys.includes(key));

  // A clause with a misspelt criterion would hold for more than was meant.
  if (unknown !== undefined) {
    throw new UsageError(
      `unknown key ${quote(unknown)} in a clause, expected one of ${clauseKeys.join(', ')}`,
    );
  }
  checkClause({ ...clause });
  return {
    sni: each(clause.sni, criteria.sni),
    alpn: each(clause.alpn, criteria.alpn),
    host: each(clause['http.host'], criteria['http.host']),
    method: each(clause['http.method'], criteria['http.method']),
    protocol: each(clause.protocol, criteria.protocol),
    outcome: compileOutcome(clause.then, clause.release === undefined ? usual : parseRelease(clause.release)),
  };
}

function compileOutcome(outcome: Outcome, release: Release | null): Then {
  const { action, module } = outcome === 'handle' ? { action: outcome, module: null } : parseOutcome(outcome);

  return { action, module, release: action === 'relay' ? release : null };
}

function each<T>(value: OneOrMore<unknown> | undefined, parse: (item: unknown) => T): T[] | null {
  if (value === undefined) return null;
  if (!Array.isArray(value)) return [parse(value)];
  if (value.length === 0) throw new UsageError('found an empty list, expected at least one item');
  return value.map(parse);
}

/** Protocol names are compared byte by byte (RFC 7301 section 3.1). */
function parseAlpn(value: unknown): string {
  if (typeof value === 'string' && /^[\x21-\x7e]{1,1020}$/.test(value)) return value;
  throw new UsageError(
    `found ${quote(value)}, expected the name of a protocol`,
    'Write it as it is registered for ALPN, for example h2 or http/1.1; * for any.',
  );
}

/** A token (RFC 9110 section 9.1), without the asterisk, which would be meant as a wildcard. */
function parseMethod(value: unknown): string {
  if (value === '*') return value;
  if (typeof value === 'string' && /^[!#$%&'+\-.^_`|~0-9A-Za-z]+$/.test(value)) return value.toUpperCase();
  throw new UsageError(`found ${quote(value)}, expected a method`, 'Write it like GET or POST; * for any.');
}

function parseProtocol(value: unknown): Protocol {
  const known = protocols.find((name) => name === value);

  if (known) return known;
  throw new UsageError(`found ${quote(value)}, expected one of ${protocols.join(', ')}`);
}
