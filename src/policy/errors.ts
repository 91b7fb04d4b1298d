/** The caller, the command line or the configuration asked for something that makes no sense: nothing was started. */
export class UsageError extends Error {
  readonly code = 'USAGE';
  readonly usage = true;
  /** What to write instead, or null when the message says it all. */
  readonly hint: string | null;

  constructor(message: string, hint: string | null = null) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }
}

/** A value as the one who wrote it would recognise it, kept to one short line. */
export function quote(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : describe(value);

  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'object' ? 'a mapping' : String(value);
}
