import { quote, UsageError } from './errors.js';

/** `lo` to `hi`, both included. */
interface PortRange {
  lo: number;
  hi: number;
}

const hint = 'Write ports from 1 to 65535 and ranges of them, for example 80,443,8000-8100.';

/** `80,443,8000-8100`: sorted, and with duplicate, overlapping and adjacent ranges merged. */
export function parsePorts(text: string): PortRange[] {
  if (text.trim() === '') throw new UsageError('the list of ports is empty', hint);
  return mergeRanges(text.split(',').map(parseRange));
}

/** The list form of the library and the configuration: numbers, and texts as `parsePorts` takes them. */
export function parsePortList(list: readonly (number | string)[]): PortRange[] {
  if (!Array.isArray(list))
    throw new UsageError(`ports: found ${quote(list)}, expected a list of ports`, hint);
  if (list.length === 0) throw new UsageError('the list of ports is empty', hint);
  return mergeRanges(list.flatMap((item) => parsePorts(portText(item))));
}

export function formatPorts(ranges: readonly PortRange[]): string {
  return ranges.map(({ lo, hi }) => (lo === hi ? `${lo}` : `${lo}-${hi}`)).join(',');
}

function portText(item: unknown): string {
  if (typeof item === 'number' || typeof item === 'string') return String(item);
  throw new UsageError(`found ${quote(item)}, expected a port or a range of ports`, hint);
}

function parseRange(item: string): PortRange {
  const match = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(item);

  if (match?.[1] === undefined) {
    throw new UsageError(`found ${quote(item)}, expected a port or a range of ports`, hint);
  }
  const lo = parsePort(match[1]);
  const hi = match[2] === undefined ? lo : parsePort(match[2]);

  if (lo > hi) {
    throw new UsageError(`found ${quote(item.trim())}, a range that runs backwards`, `Write ${hi}-${lo}.`);
  }
  return { lo, hi };
}

function parsePort(digits: string): number {
  const port = Number(digits);

  if (port >= 1 && port <= 65535) return port;
  throw new UsageError(`found ${quote(digits)}, expected a port from 1 to 65535`, hint);
}

function mergeRanges(ranges: PortRange[]): PortRange[] {
  const merged: PortRange[] = [];

  for (const { lo, hi } of ranges.sort((a, b) => a.lo - b.lo)) {
    const last = merged.at(-1);

    if (last && lo <= last.hi + 1) last.hi = Math.max(last.hi, hi);
    else merged.push({ lo, hi });
  }
  return merged;
}
