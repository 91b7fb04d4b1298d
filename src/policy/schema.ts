/** The shape of the configuration. What a value has to be is said by the parsers that the library uses, too. */
import { z } from 'zod';
import { parseAction, parseOutcome } from './actions.js';
import { parseCidr } from './cidr.js';
import { checkClause, clauseKeys, criteria } from './clauses.js';
import { quote, UsageError } from './errors.js';
import { parsePortList } from './ports.js';
import { checkRelease, parseBytes, parseDuration } from './release.js';
import { checkSetting } from './rules.js';

export type Path = readonly PropertyKey[];

const maxFlows = 10_000_000;

const port = leaf((value) => parsePortList([value as number]));
const cidr = leaf((value) => parseCidr(value as string));
const outcome = leaf(parseOutcome);

const release = z
  .strictObject({ after: leaf(parseBytes).optional(), idle: leaf(parseDuration).optional() })
  .superRefine(refusal(checkRelease));

const clause = z
  .strictObject({
    sni: oneOrMore(criteria.sni).optional(),
    alpn: oneOrMore(criteria.alpn).optional(),
    'http.host': oneOrMore(criteria['http.host']).optional(),
    'http.method': oneOrMore(criteria['http.method']).optional(),
    protocol: oneOrMore(criteria.protocol).optional(),
    then: outcome,
    release: release.optional(),
  })
  .superRefine(refusal(checkClause));

const rule = z.strictObject({
  ports: z.array(port).min(1),
  from: z.array(cidr).optional(),
  to: z.array(cidr).optional(),
  action: leaf((value) => parseAction(value as string)).optional(),
  when: z.array(clause).min(1).optional(),
  otherwise: outcome.optional(),
  release: release.optional(),
  ecn: leaf((value) => checkSetting('ecn', value)).optional(),
  unsupported: leaf((value) => checkSetting('unsupported', value)).optional(),
});

export const schema = z.strictObject({
  interfaces: z.array(leaf(checkInterface)).min(1).optional(),
  rules: z.array(rule).optional(),
  limits: z.strictObject({ flows: leaf(checkFlows).optional() }).optional(),
  control: leaf(checkControl).optional(),
});

const keys: Record<string, readonly string[]> = {
  rules: Object.keys(rule.shape),
  when: clauseKeys,
  release: Object.keys(release.shape),
  limits: ['flows'],
};

/** The keys of the mapping at `path`. */
export function knownKeys(path: Path): string {
  const name = path.findLast((key) => typeof key === 'string');

  return (name === undefined ? Object.keys(schema.shape) : (keys[name as string] ?? [])).join(', ');
}

/** A scalar that `check` accepts or refuses with a UsageError, whose words then become the issue's. */
function leaf<T>(check: (value: unknown) => T) {
  return z.unknown().superRefine(refusal(check));
}

/** One scalar, or a list of them of which any will do. */
function oneOrMore(check: (value: unknown) => unknown) {
  return z.unknown().superRefine((value, context) => {
    if (!Array.isArray(value)) refusal(check)(value, context);
    else if (value.length === 0) {
      context.addIssue({ code: 'custom', message: 'found an empty list, expected at least one item' });
    } else for (const [i, item] of value.entries()) refusal(check, [i])(item, context);
  });
}

/** The UsageError of `check` as an issue, at `path` below the value. */
function refusal<T>(check: (value: T) => unknown, path: PropertyKey[] = []) {
  return (value: T, context: z.RefinementCtx): void => {
    try {
      check(value);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      context.addIssue({
        code: 'custom',
        message: error.hint ? `${error.message}. ${error.hint}` : error.message,
        // zod puts what leads here in front of it, in place.
        path: [...path],
      });
    }
  };
}

function checkInterface(value: unknown): void {
  // What the kernel takes as a name: dev_valid_name() in net/core/dev.c.
  if (typeof value === 'string' && /^[^\s/:\0]+$/.test(value) && value !== '.' && value !== '..') {
    if (Buffer.byteLength(value) <= 15) return;
  }
  throw new UsageError(`found ${quote(value)}, expected the name of a network interface, 1 to 15 bytes long`);
}

function checkFlows(value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= maxFlows) return;
  throw new UsageError(`found ${quote(value)}, expected a whole number from 1 to ${maxFlows}`);
}

function checkControl(value: unknown): void {
  // sun_path has 108 bytes, one of them for the closing zero: unix(7).
  if (typeof value === 'string' && value !== '' && !value.includes('\0') && Buffer.byteLength(value) <= 107)
    return;
  throw new UsageError(`found ${quote(value)}, expected the path of a socket, 1 to 107 bytes long`);
}
