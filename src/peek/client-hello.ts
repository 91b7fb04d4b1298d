import { u8, u16 } from '../wire/bytes.js';
import { latin1, maxNameBytes, normaliseName, type Seen } from './seen.js';

const serverName = 0; // RFC 6066 section 3
const alpn = 16; // RFC 7301 section 3.1
const hostName = 0;

/** A piece of the message, read from front to back. Whoever reads past its end has met a malformed length. */
interface Piece {
  at: number;
  end: number;
}

class Malformed extends Error {}

/**
 * What the body of a ClientHello says: RFC 8446 section 4.1.2, which has the layout that RFC 5246 gave it. Null: it is
 * malformed, so that a server would refuse it.
 */
export function readClientHello(body: Uint8Array): Seen | null {
  try {
    return read(body);
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

function read(body: Uint8Array): Seen {
  const hello: Piece = { at: 0, end: body.length };
  const seen: Seen = { protocol: 'tls' };

  skip(hello, 2 + 32); // legacy_version, random
  const session = vector(body, hello, 1);
  const suites = vector(body, hello, 2);
  const compression = vector(body, hello, 1);

  if (size(session) > 32 || size(suites) < 2 || size(suites) % 2 === 1 || size(compression) < 1) {
    throw new Malformed();
  }
  // Before TLS 1.3 a client may say nothing more.
  if (size(hello) === 0) return seen;
  const extensions = vector(body, hello, 2);

  expectEnd(hello);
  while (size(extensions) > 0) {
    skip(extensions, 2);
    const type = u16(body, extensions.at - 2);
    const content = vector(body, extensions, 2);

    // Twice the same extension is forbidden (section 4.2), and would leave open which one counts. GREASE (RFC 8701) is
    // a type that nobody knows, like any other.
    if (type === serverName) {
      if (seen.sni !== undefined) throw new Malformed();
      seen.sni = readServerName(body, content);
    } else if (type === alpn) {
      if (seen.alpn !== undefined) throw new Malformed();
      seen.alpn = readAlpn(body, content);
    }
  }
  return withoutEmpty(seen);
}

/** RFC 6066 section 3. Types of names that are yet to come begin with a length, too. Empty: none was a host name. */
function readServerName(body: Uint8Array, content: Piece): string {
  const list = vector(body, content, 2);
  let name = '';

  expectEnd(content);
  if (size(list) === 0) throw new Malformed();
  while (size(list) > 0) {
    skip(list, 1);
    const type = u8(body, list.at - 1);
    const value = vector(body, list, 2);

    if (type !== hostName) continue;
    if (name !== '' || size(value) > maxNameBytes) throw new Malformed();
    const text = latin1(body, value.at, value.end);

    name = normaliseName(text);
    // A HostName is ASCII; what cannot be seen would be read in different ways.
    if (!/^[\x21-\x7e]+$/.test(text) || name === '') throw new Malformed();
  }
  return name;
}

/** RFC 7301 section 3.1. Empty: there was only GREASE. */
function readAlpn(body: Uint8Array, content: Piece): string[] {
  const list = vector(body, content, 2);
  const names: string[] = [];

  expectEnd(content);
  if (size(list) === 0) throw new Malformed();
  while (size(list) > 0) {
    const name = vector(body, list, 1);

    if (size(name) === 0) throw new Malformed();
    if (!isGrease(body, name)) names.push(printable(latin1(body, name.at, name.end)));
  }
  return names;
}

function withoutEmpty({ protocol, sni, alpn }: Seen): Seen {
  return { protocol, ...(sni ? { sni } : {}), ...(alpn?.length ? { alpn } : {}) };
}

/** RFC 8701 section 2: 0A 0A, 1A 1A and so on to FA FA. */
function isGrease(body: Uint8Array, { at, end }: Piece): boolean {
  const first = u8(body, at);

  return end - at === 2 && (first & 15) === 10 && first === u8(body, at + 1);
}

/** Protocol names are any bytes: those that are no visible ASCII as RFC 7301 writes them, 0x0a as \x0a. */
function printable(text: string): string {
  return text.replace(
    /[^\x21-\x5b\x5d-\x7e]/g,
    (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function size({ at, end }: Piece): number {
  return end - at;
}

function skip(piece: Piece, bytes: number): void {
  piece.at += bytes;
  if (piece.at > piece.end) throw new Malformed();
}

/** Cuts a vector with a length of `lengthBytes` off the front of `piece`. */
function vector(body: Uint8Array, piece: Piece, lengthBytes: 1 | 2): Piece {
  skip(piece, lengthBytes);
  const at = piece.at;

  skip(piece, lengthBytes === 1 ? u8(body, at - 1) : u16(body, at - 2));
  return { at, end: piece.at };
}

function expectEnd(piece: Piece): void {
  if (size(piece) > 0) throw new Malformed();
}
