import { domainToASCII } from 'node:url';
import { formatAddress, parseAddress } from '../wire/address.js';
import { quote, UsageError } from './errors.js';

/** Plain values, which a message between threads can carry. */
export type NamePattern =
  /** `*`: any name, but there must be one. */
  | { kind: 'any' }
  /** `example.com`: this name alone. */
  | { kind: 'exact'; name: string }
  /** `*.example.com`: all names below it, at any depth, and not itself. */
  | { kind: 'below'; name: string };

const hint =
  'Write a name like www.example.com, *.example.com for all names below example.com, or * for any name.';
/** RFC 1123 section 2.1, and the underscore, which is in use. Lengths: RFC 1035 section 2.3.4. */
const hostName = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/** Matches as DNS does: without regard to upper and lower case or a last dot. */
export function parseNamePattern(value: unknown): NamePattern {
  if (typeof value !== 'string' || value === '') {
    throw new UsageError(`found ${quote(value)}, expected a name`, hint);
  }
  if (value === '*') return { kind: 'any' };
  const below = value.startsWith('*.');
  const name = below ? value.slice(2) : value;

  if (/[^\0-\x7f]/.test(name)) throw beyondAscii(value, name, below);
  const plain = name.toLowerCase().replace(/\.$/, '');

  if (hostName.test(plain)) return { kind: below ? 'below' : 'exact', name: plain };
  const address = below ? null : parseAddress(plain.replace(/^\[(.*)\]$/, '$1'));

  if (address) return { kind: 'exact', name: formatAddress(address) };
  throw new UsageError(`found ${quote(value)}, expected a name`, whatIsWrong(plain));
}

export function matchesName(pattern: NamePattern, name: string | undefined): boolean {
  if (name === undefined) return false;
  if (pattern.kind === 'any') return true;
  if (pattern.kind === 'exact') return name === pattern.name;
  return name.length > pattern.name.length + 1 && name.endsWith(`.${pattern.name}`);
}

/** A ClientHello and a Host field hold A-labels (RFC 5890 section 2.3.2.1): a rule has to say the same. */
function beyondAscii(value: string, name: string, below: boolean): UsageError {
  const ascii = domainToASCII(name);

  return new UsageError(
    `found ${quote(value)}, a name with letters beyond ASCII, as no connection carries it`,
    ascii === '' ? 'Write its A-labels (xn--…).' : `Write its A-labels: ${below ? '*.' : ''}${ascii}.`,
  );
}

function whatIsWrong(name: string): string {
  if (name.includes('/')) return 'Write the name alone, without scheme and path.';
  if (/:\d*$/.test(name)) return 'Leave the port out: the ports of the rule say it.';
  if (name.includes('*')) return 'An asterisk stands alone, or for all that is before the first dot.';
  if (name.startsWith('.')) return `Write *${name} for all names below ${name.slice(1)}.`;
  return hint;
}
