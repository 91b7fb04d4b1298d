/**
 * What the two ends of an audit say to each other: JSON objects, one a line. Both begin with a greeting; then the client asks for
 * calls by number, and the server answers, and tells of packets. The box may sit in this connection too, so nothing is believed.
 */
import type { Socket } from 'node:net';

/** Counts changes of this page, and of what the calls mean. */
export const protocolVersion = 2;
/** The largest call moves a packet in hexadecimal; a capture may fill some of it. */
const longestLine = 8_000_000;

export interface Greeting {
  audit: number;
  desplice: string;
}
export interface Welcome extends Greeting {
  ports: { first: number; last: number };
  /** '' when raw packets can be sent and captured, else why not. */
  unprivileged: string;
  /** Why this client gets no session: another one has it. */
  busy?: boolean;
}

export class AuditError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly hint = '',
  ) {
    super(message);
    this.name = 'AuditError';
  }
}

/** Why these two cannot work together, or null. */
export function disagreement(mine: Greeting, other: unknown): string | null {
  const { audit, desplice } = (other ?? {}) as Partial<Greeting>;
  if (typeof audit !== 'number' || typeof desplice !== 'string') return 'it does not speak as an audit does';
  if (audit === mine.audit && desplice === mine.desplice) return null;
  return `it is desplice ${desplice} (audit ${audit}), this one is desplice ${mine.desplice} (audit ${mine.audit})`;
}

/** Cuts what comes into lines and reads each; `bad` is called once, for what no audit can have sent. */
export class LineReader {
  #rest = '';
  #bad = false;

  constructor(
    readonly line: (value: Record<string, unknown>) => void,
    readonly bad: (why: string) => void,
  ) {}

  feed(text: string): void {
    if (this.#bad) return;
    this.#rest += text;
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end < 0) break;
      const line = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + 1);
      const value = objectOf(line);
      if (!value) {
        this.#refuse(`a line is no JSON object: ${JSON.stringify(line.slice(0, 60))}`);
        return;
      }
      this.line(value);
      if (this.#bad) return;
    }
    if (this.#rest.length > longestLine) this.#refuse(`a line is longer than ${longestLine} characters`);
  }

  #refuse(why: string): void {
    this.#bad = true;
    this.bad(why);
  }
}

function objectOf(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

export function say(socket: Socket, value: object): void {
  if (!socket.destroyed) socket.write(`${JSON.stringify(value)}\n`);
}
