import { quote, UsageError } from './errors.js';

/** When a relayed flow goes back to plain forwarding: at whichever comes first. */
export interface ReleaseInput {
  /** So many bytes have passed, both ways together: a number, or a text like 64KiB. */
  after?: number | string | undefined;
  /** Nothing has passed for so long: a text like 30s. */
  idle?: string | undefined;
}

export interface Release {
  /** Bytes; null: however many. */
  after: number | null;
  /** Milliseconds; null: however long. */
  idleMs: number | null;
}

const byteUnits = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
const timeUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const maxIdleMs = 30 * timeUnits.d;

export function parseRelease(input: ReleaseInput): Release {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new UsageError(`found release ${quote(input)}, expected a mapping with after, idle`);
  }
  const unknown = Object.keys(input).find((key) => key !== 'after' && key !== 'idle');

  if (unknown !== undefined) {
    throw new UsageError(`release: unknown key ${quote(unknown)}, expected one of after, idle`);
  }
  const { after, idle } = input;

  checkRelease(input);
  return {
    after: after === undefined ? null : parseBytes(after),
    idleMs: idle === undefined ? null : parseDuration(idle),
  };
}

/** A release that says neither would never come. */
export function checkRelease({ after, idle }: { after?: unknown; idle?: unknown }): void {
  if (after !== undefined || idle !== undefined) return;
  throw new UsageError('release says neither after nor idle', 'Write { after: 64KiB } or { idle: 30s }.');
}

export function parseBytes(value: unknown): number {
  const bytes = typeof value === 'number' ? value : measure(value, byteUnits);

  if (bytes !== null && Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
  throw new UsageError(
    `found ${quote(value)}, expected a number of bytes, at least 1`,
    `Write a whole number, alone or with one of ${Object.keys(byteUnits).join(', ')}: 64KiB.`,
  );
}

export function parseDuration(value: unknown): number {
  const ms = measure(value, timeUnits);

  if (ms !== null && ms >= 1 && ms <= maxIdleMs) return ms;
  throw new UsageError(
    `found ${quote(value)}, expected a time from 1ms to 30d`,
    `Write a whole number with one of ${Object.keys(timeUnits).join(', ')}: 30s.`,
  );
}

function measure(value: unknown, units: Record<string, number>): number | null {
  const match = typeof value === 'string' ? /^\s*(\d+)\s*([A-Za-z]+)\s*$/.exec(value) : null;
  const unit = match?.[2] !== undefined && Object.hasOwn(units, match[2]) ? units[match[2]] : undefined;

  return unit === undefined ? null : Number(match?.[1]) * unit;
}
