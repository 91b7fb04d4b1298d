import { latin1, type Reader, type Seen } from './seen.js';

const LF = 10;
const code = '220';

/**
 * The greeting of an SMTP server (RFC 5321 section 4.2): lines that begin with 220. FTP (RFC 959) and others greet with
 * 220 as well, so the text decides: servers name SMTP or ESMTP in it, as section 4.3.1 recommends. One that hides it is
 * unknown. Each line is read when it is whole: a server may wait between the lines to see who talks too early.
 */
export class SmtpGreetingReader implements Reader {
  #line = 0;
  #looked = 0;

  read(bytes: Uint8Array, ended: boolean): Seen | 'more' | 'no' {
    for (;;) {
      const lineFeed = bytes.indexOf(LF, this.#looked);
      const whole = lineFeed >= 0;
      const line = latin1(bytes, this.#line, whole ? lineFeed : Math.min(bytes.length, this.#line + 4));

      if (!beginsWell(line, whole)) return 'no';
      if (!whole) break;
      if (namesSmtp(line)) return { protocol: 'smtp' };
      // A hyphen: more lines follow.
      if (line[code.length] !== '-') return 'no';
      this.#line = this.#looked = lineFeed + 1;
    }
    this.#looked = bytes.length;
    if (!ended) return 'more';
    return namesSmtp(latin1(bytes, this.#line, bytes.length)) ? { protocol: 'smtp' } : 'no';
  }
}

/** 220 and a space, a hyphen or, with no text, the end of the line. */
function beginsWell(line: string, whole: boolean): boolean {
  if (line.length <= code.length) return whole ? line === code : code.startsWith(line);
  const next = line[code.length] as string;

  return line.startsWith(code) && (next === ' ' || next === '-' || next === '\r');
}

function namesSmtp(line: string): boolean {
  return /\bE?SMTP\b/i.test(line);
}
