import { u8, u16 } from '../wire/bytes.js';
import { readClientHello } from './client-hello.js';
import { Gathered } from './gathered.js';
import { peekLimit } from './limits.js';
import type { Reader, Seen } from './seen.js';

const handshake = 22;
const clientHello = 1;
const recordHeader = 5;
const messageHeader = 4;
/** RFC 8446 section 5.1. */
const maxFragment = 1 << 14;

/**
 * TLS that begins with a ClientHello, over as many records and segments as it likes (RFC 8446 section 5.1). Told by the
 * first six bytes: a handshake record of version 3.x (section 5.1 has the minor version ignored: 1 from most clients)
 * in which a ClientHello begins.
 */
export class TlsReader implements Reader {
  /** The handshake message, put together from the records so far. */
  readonly #message = new Gathered();
  /** Where the record that is being read begins, and how much of its fragment is in `#message` already. */
  #record = 0;
  #taken = 0;

  read(bytes: Uint8Array, ended: boolean): Seen | 'more' | 'no' {
    for (;;) {
      const at = this.#record;

      // The message goes on in the next record, and nothing may come between (section 5.1).
      if (at < bytes.length && u8(bytes, at) !== handshake) return 'no';
      if (at + 1 < bytes.length && u8(bytes, at + 1) !== 3) return 'no';
      if (at + recordHeader > bytes.length) break;
      const size = u16(bytes, at + 3);

      if (size === 0 || size > maxFragment) return 'no';
      const answer = this.#take(bytes, at + recordHeader + size);

      if (answer !== 'more') return answer;
      if (this.#taken < size) break;
      this.#record += recordHeader + size;
      this.#taken = 0;
    }
    if (!ended) return 'more';
    // A ClientHello that began and does not come is TLS, and no more than that.
    return this.#message.length > 0 ? { protocol: 'tls' } : 'no';
  }

  /** Adds what has come of the record that ends at `end`, and reads the message when it is whole. */
  #take(bytes: Uint8Array, end: number): Seen | 'more' | 'no' {
    const fresh = bytes.subarray(this.#record + recordHeader + this.#taken, end);

    this.#message.add(fresh);
    this.#taken += fresh.length;
    const message = this.#message.bytes;

    if (message.length > 0 && message[0] !== clientHello) return 'no';
    if (message.length < messageHeader) return 'more';
    const size = messageHeader + u8(message, 1) * 0x10000 + u16(message, 2);

    // It cannot come whole within the limit.
    if (size > peekLimit) return { protocol: 'tls' };
    if (message.length < size) return 'more';
    return readClientHello(message.subarray(messageHeader, size)) ?? 'no';
  }
}
