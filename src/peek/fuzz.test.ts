/**
 * Whatever comes, and however it is cut: properties of the peeker, with shrinking. A short run belongs to the unit tests;
 * `make fuzz` makes a long one.
 */
import { writeSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alpn, ascii, helloMessage, inRecords, recording, sni } from './fixtures/build.js';
import { Peeker, peekFirst, peekLimit, protocols, type Seen, type Side } from './peek.js';

/** For all properties together. */
const cases = Number(process.env.DESPLICE_FUZZ_CASES ?? 6000);
const seed = Number(process.env.DESPLICE_FUZZ_SEED ?? Date.now() % 0x7fffffff);
const long = process.env.DESPLICE_FUZZ_CASES !== undefined;
const perChunk = 5000;
const recordings = [
  ...['chromium', 'openssl-tls13', 'openssl-small-records', 'curl-https', 'curl-http1-post', 'curl-connect'],
  ...['curl-proxy-get', 'curl-http2-prior-knowledge', 'ssh'],
].map(recording);

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/);
const name = fc
  .array(label, { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join('.'))
  .filter((text) => text.length <= 60);
/** RFC 8701. */
const grease = fc.nat(15).map((i) => i * 0x1010 + 0x0a0a);

/** Valid, with what is to be seen in it. */
const hello: fc.Arbitrary<Valid> = fc
  .record({
    sni: fc.option(name, { nil: undefined }),
    alpn: fc.uniqueArray(fc.constantFrom('h2', 'http/1.1', 'acme-tls/1', 'x'), { maxLength: 3 }),
    greased: fc.boolean(),
    others: fc.array(fc.tuple(grease, fc.array(fc.nat(255), { maxLength: 40 })), { maxLength: 3 }),
    session: fc.array(fc.nat(255), { maxLength: 32 }),
    records: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(16384)),
    version: fc.nat(4),
    last: fc.boolean(),
  })
  .map(({ others, session, records, version, greased, last, ...said }) => {
    const names = greased ? ['\x0a\x0a', ...said.alpn] : said.alpn;
    const extensions = [
      ...others,
      ...(said.sni ? [sni(last ? `${said.sni}.` : said.sni)] : []),
      ...(names.length > 0 ? [alpn(...names)] : []),
    ];
    const seen: Seen = {
      protocol: 'tls',
      ...(said.sni && { sni: said.sni.toLowerCase() }),
      ...(said.alpn.length > 0 && { alpn: said.alpn }),
    };

    return { bytes: inRecords(helloMessage({ session, extensions }), records, version), seen };
  });

const request: fc.Arbitrary<Valid> = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PROPFIND', 'X'),
    host: fc.option(name, { nil: undefined }),
    port: fc.constantFrom('', ':8080'),
    absolute: fc.option(name, { nil: undefined }),
    before: fc.array(fc.constantFrom('a: b', 'Cookie: x', 'c:\td', 'e: f\r\n g'), { maxLength: 3 }),
    lineEnd: fc.constantFrom('\r\n', '\n'),
  })
  .map(({ method, host, port, absolute, before, lineEnd }) => {
    const target = absolute === undefined ? '/x' : `http://${absolute}${port}/`;
    const lines = [
      `${method} ${target} HTTP/1.1`,
      ...before,
      ...(host ? [`Host: ${host}${port}`] : []),
      '',
      '',
    ];
    const expected = (absolute ?? host)?.toLowerCase();
    const seen: Seen = { protocol: 'http1', ...(expected && { host: expected }), method };

    return { bytes: Uint8Array.from(ascii(lines.join(lineEnd))), seen };
  });

interface Valid {
  bytes: Uint8Array;
  seen: Seen;
}

/** Anything that looks a little like one of the protocols. */
const tokens = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[
          'GET ',
          'CONNECT ',
          'OPTIONS ',
          '/',
          '*',
          ' HTTP/1.1',
          '\r\n',
          '\n',
          '\r',
          'Host:',
          ' ',
          '\t',
          'a.b',
          ':80',
          '[::1]',
        ],
        ...[
          'PRI * HTTP/2.0\r\n\r\n',
          'SM\r\n\r\n',
          'SSH-',
          '2.0-',
          '220',
          '-',
          'ESMTP',
          'EHLO ',
          'http://',
          '@',
        ],
        ...['\x16\x03\x01', '\x00', '\x00\x05', '\x01\x00\x00\x01', '\x16\x03\x03\x00\x01', '\xff'],
      ),
      fc.string({ maxLength: 5 }),
    ),
    { maxLength: 16 },
  )
  .map((list) => Uint8Array.from(ascii(list.join(''))));

/** A valid stream in which bytes were changed, taken out, put in or repeated. */
const mutated = fc
  .tuple(
    fc.oneof(
      hello.map(({ bytes }) => bytes),
      request.map(({ bytes }) => bytes),
      fc.constantFrom(...recordings),
    ),
    fc.array(
      fc.record({
        what: fc.constantFrom('set', 'cut', 'insert', 'repeat'),
        at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        length: fc.integer({ min: 1, max: 8 }),
        value: fc.oneof(fc.nat(255), fc.constantFrom(0, 10, 13, 22, 32, 255)),
      }),
      { maxLength: 5 },
    ),
  )
  .map(([valid, edits]) => {
    let bytes = [...valid];

    for (const { what, at, length, value } of edits) {
      const i = Math.floor(at * bytes.length);

      if (what === 'set') bytes[i] = value;
      else if (what === 'cut') bytes.splice(i, length);
      else if (what === 'insert') bytes.splice(i, 0, ...Array(length).fill(value));
      else bytes = [...bytes.slice(0, i + length), ...bytes.slice(i)];
    }
    return Uint8Array.from(bytes);
  });

const stream = fc.oneof(
  { weight: 3, arbitrary: mutated },
  { weight: 2, arbitrary: tokens },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
);
const side = fc.constantFrom<Side>('client', 'server');
/** Where a stream is cut: every byte by itself, or at some places. */
const cuts = fc.oneof(
  fc.constant<'all'>('all'),
  fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 }),
);

function pieces(bytes: Uint8Array, where: 'all' | number[]): Uint8Array[] {
  const at =
    where === 'all'
      ? Array.from(bytes.keys())
      : where.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b);

  return [0, ...at].map((start, i) => bytes.slice(start, at[i] ?? bytes.length));
}

function wellFormed(seen: Seen): void {
  expect(protocols).toContain(seen.protocol);
  for (const text of [seen.sni, seen.host, seen.method, ...(seen.alpn ?? [])]) {
    if (text !== undefined && !/^[\x21-\x7e]{1,1020}$/.test(text)) throw new Error(`${JSON.stringify(text)}`);
  }
  for (const text of [seen.sni, seen.host]) expect(text).toBe(text?.toLowerCase());
  if (seen.protocol !== 'tls') expect(seen.sni ?? seen.alpn).toBeUndefined();
  if (seen.protocol !== 'http1') expect(seen.host ?? seen.method).toBeUndefined();
}

/** Runs a share of the cases, in chunks, with a line of progress for each when the run is long. */
function check<T extends unknown[]>(title: string, share: number, property: fc.IProperty<T>): void {
  const total = Math.ceil(cases * share);

  it(title, { timeout: 0 }, () => {
    for (let done = 0; done < total; ) {
      const numRuns = Math.min(perChunk, total - done);

      fc.assert(property, { seed: seed + done, numRuns });
      done += numRuns;
      if (long && (done % (perChunk * 4) === 0 || done === total)) {
        writeSync(2, `fuzz: ${title}: ${done} of ${total} (seed ${seed})\n`);
      }
    }
  });
}

describe(`peeking, seed ${seed}`, () => {
  check(
    'gives the same answer however the stream is cut',
    0.5,
    fc.property(stream, side, cuts, fc.boolean(), (bytes, from, where, ended) => {
      const whole = peekFirst(from, bytes, ended);
      const peeker = new Peeker(from);
      let cut: Seen | 'more' = 'more';

      for (const piece of pieces(bytes, where)) {
        const answer = peeker.feed(piece);

        // An engine's buffer holds something else by the time of the next call.
        piece.fill(0xaa);
        if (cut !== 'more') expect(answer).toEqual(cut);
        cut = answer;
      }
      if (ended) cut = peeker.end();
      expect(cut).toEqual(whole);
      if (whole !== 'more') wellFormed(whole);
    }),
  );

  check(
    'does not take back what it has said',
    0.2,
    fc.property(stream, side, fc.uint8Array({ maxLength: 20 }), (bytes, from, more) => {
      const seen = peekFirst(from, bytes, false);

      if (seen === 'more') return;
      expect(peekFirst(from, Uint8Array.from([...bytes, ...more]), false)).toEqual(seen);
      expect(peekFirst(from, bytes, true)).toEqual(seen);
    }),
  );

  check(
    'sees in a ClientHello what was put into it, and only when it is whole',
    0.15,
    fc.property(hello, fc.uint8Array({ maxLength: 8 }), ({ bytes, seen }, more) => {
      expect(peekFirst('client', Uint8Array.from([...bytes, ...more]), false)).toEqual(seen);
      expect(peekFirst('client', bytes.subarray(0, -1), false)).toBe('more');
    }),
  );

  check(
    'sees in a request what was put into it, and only when it is whole',
    0.15,
    fc.property(request, fc.uint8Array({ maxLength: 8 }), ({ bytes, seen }, more) => {
      expect(peekFirst('client', Uint8Array.from([...bytes, ...more]), false)).toEqual(seen);
      expect(peekFirst('client', bytes.subarray(0, -1), false)).toBe('more');
    }),
  );

  it('never looks beyond the limit', () => {
    fc.assert(
      fc.property(fc.constantFrom('GET /', '\x16\x03\x01\x00\x01\x01', '220-'), side, (start, from) => {
        const bytes = new Uint8Array(peekLimit + 10).fill(0x61);

        bytes.set(ascii(start));
        const seen = peekFirst(from, bytes, false);

        expect(seen).not.toBe('more');
        expect(peekFirst(from, bytes.subarray(0, peekLimit), false)).toEqual(seen);
      }),
      { seed, numRuns: 20 },
    );
  });
});
