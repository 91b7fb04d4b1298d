/** What the first bytes of a connection are, told as soon as it can be: no I/O, no clock. */
import { Gathered } from './gathered.js';
import { HttpReader } from './http.js';
import { peekLimit } from './limits.js';
import { http2Reader, smtpClientReader, sshReader } from './prefixes.js';
import type { Reader, Seen } from './seen.js';
import { SmtpGreetingReader } from './smtp.js';
import { TlsReader } from './tls.js';

export { peekLimit, peekTimeoutMs } from './limits.js';
export type { Protocol, Seen } from './seen.js';
export { protocols } from './seen.js';

/** The end that speaks first. */
export type Side = 'client' | 'server';

/**
 * Takes the first bytes of the end that spoke first, as they come. However they are cut, the answer is the same, and
 * comes with the first byte that tells. It never throws, and n bytes cost n steps.
 */
export class Peeker {
  /** Those that have not said no, in the order in which they are asked. */
  readonly #readers: Reader[];
  readonly #gathered = new Gathered();
  #seen: Seen | null = null;

  constructor(from: Side) {
    // TLS from the end that accepted: FTP over TLS has its roles exchanged on an active data connection.
    this.#readers =
      from === 'client'
        ? [new TlsReader(), sshReader, http2Reader, smtpClientReader, new HttpReader()]
        : [new TlsReader(), sshReader, new SmtpGreetingReader()];
  }

  /** `bytes` are what has come since the last call, and are copied. After an answer, more of them change nothing. */
  feed(bytes: Uint8Array): Seen | 'more' {
    if (this.#seen) return this.#seen;
    const fresh = bytes.subarray(0, peekLimit - this.#gathered.length);

    // What is told by the first segment alone, as most is, is told without a copy.
    if (this.#gathered.length === 0) {
      const seen = this.#ask(fresh, fresh.length === peekLimit);

      if (seen !== 'more') return seen;
      this.#gathered.add(fresh);
      return 'more';
    }
    this.#gathered.add(fresh);
    return this.#ask(this.#gathered.bytes, this.#gathered.length === peekLimit);
  }

  /** No more will come: that end has ended, or the time is up. */
  end(): Seen {
    return this.#seen ?? (this.#ask(this.#gathered.bytes, true) as Seen);
  }

  #ask(bytes: Uint8Array, ended: boolean): Seen | 'more' {
    for (let reader = this.#readers[0]; reader; reader = this.#readers[0]) {
      const answer = reader.read(bytes, ended);

      if (answer === 'more') return 'more';
      if (answer !== 'no') {
        this.#seen = answer;
        return answer;
      }
      this.#readers.shift();
    }
    this.#seen = { protocol: 'unknown' };
    return this.#seen;
  }
}

/** The same for bytes that are all there, from the first one on: `ended` says that no more will come. */
export function peekFirst(from: Side, bytes: Uint8Array, ended: boolean): Seen | 'more' {
  const peeker = new Peeker(from);
  const seen = peeker.feed(bytes);

  return ended && seen === 'more' ? peeker.end() : seen;
}
