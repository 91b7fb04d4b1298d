import { hostOf, hostOfTarget } from './host.js';
import { latin1, type Reader, type Seen } from './seen.js';

const LF = 10;
const CR = 13;
const SP = 32;
const HTAB = 9;
/** RFC 9110 section 5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const isTokenByte = Array.from({ length: 256 }, (_, byte) => token.test(String.fromCharCode(byte)));
/** The longest registered method has 17 bytes. Text that goes on for longer is another protocol. */
const maxMethod = 32;
const version = 'HTTP/1.';

/**
 * The head of an HTTP/1 request (RFC 9112). What a server has to answer with 400 (Bad Request), because two readers of
 * it could come to different ends, is `no`: several Host fields or one that is no host (section 3.2), white space
 * before the colon (5.1) or before the first field (2.2), control characters. Only a whole head tells its host.
 */
export class HttpReader implements Reader {
  /** Where the line begins that is being read, and how far it has been looked at. */
  #line = 0;
  #looked = 0;
  #part: 'method' | 'target' | 'version' = 'method';
  #targetAt = 0;
  #versionAt = 0;
  /** What the request line says; null: it is not whole. */
  #request: { method: string; host: string } | null = null;
  /** The field that is being read; a line that begins with white space goes on with it. */
  #field: { name: string; value: string[] } | null = null;
  #hosts: string[] = [];

  read(bytes: Uint8Array, ended: boolean): Seen | 'more' | 'no' {
    if (!this.#request) {
      const answer = this.#readRequestLine(bytes);

      if (answer === 'no') return 'no';
    }
    while (this.#request) {
      const lineFeed = bytes.indexOf(LF, this.#looked);

      if (lineFeed < 0) {
        this.#looked = bytes.length;
        break;
      }
      const line = this.#endLine(bytes, lineFeed);

      if (line === '') return this.#endField() ? this.#seen(this.#request) : 'no';
      if (!this.#readField(line)) return 'no';
    }
    if (!ended) return 'more';
    // Another Host could have followed: only what the request line says is known.
    return this.#request ? { protocol: 'http1', method: this.#request.method } : 'no';
  }

  /** Byte by byte, so that what is no HTTP is told by its first wrong byte and is not waited for. */
  #readRequestLine(bytes: Uint8Array): 'no' | 'more' {
    for (; this.#looked < bytes.length; this.#looked++) {
      const at = this.#looked;
      const byte = bytes[at] as number;

      if (this.#part === 'method') {
        // A server ignores an empty line before the request (section 2.2).
        if (at === 0 && byte === CR) continue;
        if (at === 1 && bytes[0] === CR) {
          if (byte !== LF) return 'no';
          this.#line = 2;
        } else if (byte === SP && at > this.#line) {
          this.#part = 'target';
          this.#targetAt = at + 1;
        } else if (!isTokenByte[byte] || at - this.#line >= maxMethod) return 'no';
      } else if (this.#part === 'target') {
        if (byte === SP && at > this.#targetAt) {
          this.#part = 'version';
          this.#versionAt = at + 1;
        } else if (byte <= SP || byte === 127) return 'no';
      } else if (byte === LF && at - this.#versionAt > version.length) {
        return this.#endRequestLine(bytes, at);
      } else if (!fitsVersion(byte, at - this.#versionAt)) return 'no';
    }
    return 'more';
  }

  #endRequestLine(bytes: Uint8Array, lineFeed: number): 'no' | 'more' {
    const method = latin1(bytes, this.#line, this.#targetAt - 1);
    const host = hostOfTarget(method, latin1(bytes, this.#targetAt, this.#versionAt - 1));

    if (host === null) return 'no';
    this.#request = { method, host };
    this.#line = this.#looked = lineFeed + 1;
    return 'more';
  }

  /** The line that ends at `lineFeed`. A CR before it belongs to it, and need not be there (section 2.2). */
  #endLine(bytes: Uint8Array, lineFeed: number): string {
    const end = lineFeed > this.#line && bytes[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
    const line = latin1(bytes, this.#line, end);

    this.#line = this.#looked = lineFeed + 1;
    return line;
  }

  #readField(line: string): boolean {
    if (hasControl(line)) return false;
    if (line.charCodeAt(0) === SP || line.charCodeAt(0) === HTAB) {
      // obs-fold (section 5.2).
      this.#field?.value.push(trim(line));
      return this.#field !== null;
    }
    if (!this.#endField()) return false;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));

    if (!token.test(name)) return false;
    this.#field = { name: name.toLowerCase(), value: [trim(line.slice(colon + 1))] };
    return true;
  }

  /** False: it was a Host that makes the request wrong. */
  #endField(): boolean {
    if (this.#field?.name !== 'host') return true;
    const host = hostOf(trim(this.#field.value.join(' ')));

    if (host === null || this.#hosts.length > 0) return false;
    this.#hosts.push(host);
    this.#field = null;
    return true;
  }

  /** A target that names a host beats the Host field (RFC 9112 section 3.2.2). */
  #seen({ method, host }: { method: string; host: string }): Seen {
    const name = host || this.#hosts[0];

    return { protocol: 'http1', ...(name ? { host: name } : {}), method };
  }
}

/** `HTTP/1.`, one digit, and perhaps a CR. */
function fitsVersion(byte: number, at: number): boolean {
  if (at < version.length) return byte === version.charCodeAt(at);
  if (at === version.length) return byte >= 0x30 && byte <= 0x39;
  return at === version.length + 1 && byte === CR;
}

/** Without optional white space (RFC 9110 section 5.6.3). By hand: a pattern would need a square of time for much of it. */
function trim(text: string): string {
  const isSpace = (at: number) => text.charCodeAt(at) === SP || text.charCodeAt(at) === HTAB;
  let start = 0;
  let end = text.length;

  while (start < end && isSpace(start)) start++;
  while (end > start && isSpace(end - 1)) end--;
  return text.slice(start, end);
}

function hasControl(line: string): boolean {
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i);

    if ((code < SP && code !== HTAB) || code === 127) return true;
  }
  return false;
}
