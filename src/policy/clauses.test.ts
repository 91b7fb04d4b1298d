import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Seen } from '../peek/seen.js';
import { type ClauseInput, compilePeek, decideByNames, type PeekInput } from './clauses.js';
import { UsageError } from './errors.js';

const tls: Seen = { protocol: 'tls', sni: 'www.example.com', alpn: ['h2', 'http/1.1'] };
const http: Seen = { protocol: 'http1', host: 'a.example.net', method: 'POST' };
const holds = (clause: Omit<ClauseInput, 'then'>, seen: Seen) =>
  decideByNames(compilePeek({ when: [{ ...clause, then: 'reset' }] }), seen).action === 'reset';

describe('a clause', () => {
  it.each([
    [{ sni: '*.example.com' }, tls, true],
    [{ sni: ['a.example', 'www.example.com'] }, tls, true],
    [{ sni: 'example.com' }, tls, false],
    [{ sni: '*' }, { protocol: 'tls' }, false],
    [{ alpn: 'h2' }, tls, true],
    [{ alpn: ['h3', 'http/1.1'] }, tls, true],
    [{ alpn: 'H2' }, tls, false],
    [{ alpn: '*' }, tls, true],
    [{ alpn: '*' }, { protocol: 'tls' }, false],
    [{ 'http.host': '*.example.net', 'http.method': ['PUT', 'post'] }, http, true],
    [{ 'http.host': '*.example.net', 'http.method': 'GET' }, http, false],
    [{ 'http.method': '*' }, http, true],
    [{ 'http.method': '*' }, tls, false],
    [{ 'http.host': '*' }, tls, false],
    [{ protocol: 'tls', sni: '*.example.org' }, tls, false],
    [{ protocol: ['ssh', 'unknown'] }, { protocol: 'unknown' }, true],
    [{ protocol: 'http2' }, http, false],
  ] as [Omit<ClauseInput, 'then'>, Seen, boolean][])('%j and %j: %s', (clause, seen, expected) => {
    expect(holds(clause, seen)).toBe(expected);
  });
});

describe('the decision', () => {
  it('is that of the first clause that holds', () => {
    const peek = compilePeek({
      when: [
        { protocol: 'ssh', then: 'forward' },
        { sni: '*', then: 'handle=./m.mjs' },
        { protocol: 'tls', then: 'reset' },
        { 'http.host': '*', then: 'handle' },
        { protocol: 'smtp', then: 'relay' },
        { protocol: 'http2', then: 'relay', release: { idle: '1s' } },
      ],
      otherwise: 'release',
      release: { after: 10 },
    });
    const decide = (seen: Seen) => decideByNames(peek, seen);

    expect(decide(tls)).toEqual({ action: 'handle', module: './m.mjs', release: null });
    expect(decide({ protocol: 'tls' })).toEqual({ action: 'reset', module: null, release: null });
    expect(decide(http)).toEqual({ action: 'handle', module: null, release: null });
    expect(decide({ protocol: 'smtp' }).release).toEqual({ after: 10, idleMs: null });
    expect(decide({ protocol: 'http2' }).release).toEqual({ after: null, idleMs: 1000 });
    expect(decide({ protocol: 'unknown' })).toEqual({ action: 'release', module: null, release: null });
  });

  it('is forward when nothing is said', () => {
    expect(decideByNames(compilePeek({}), tls)).toEqual({ action: 'forward', module: null, release: null });
  });

  it('survives the way to another thread', () => {
    const peek = compilePeek({ when: [{ sni: ['*', 'a', '*.b'], alpn: 'h2', then: 'relay' }] });

    expect(structuredClone(peek)).toEqual(peek);
  });
});

describe('compilePeek refuses', () => {
  it.each([
    [{ when: 'sni' }, /expected a list of clauses/],
    [{ when: [null] }, /found clause nothing/],
    [{ when: [{ then: 'reset' }] }, /nothing that must hold/],
    [{ when: [{ snii: 'a', sni: 'b', then: 'reset' }] }, /unknown key "snii"/],
    [{ when: [{ sni: [], then: 'reset' }] }, /an empty list/],
    [{ when: [{ sni: 'a' }] }, /found nothing, expected forward, relay/],
    [{ when: [{ sni: 'a', then: 'drop' }] }, /found "drop"/],
    [{ when: [{ sni: 'a', then: 'peek' }] }, /found "peek"/],
    [{ when: [{ sni: 'a', then: 'handle=' }] }, /names no module/],
    [{ when: [{ sni: 'a', then: 'release', release: { after: 1 } }] }, /not with "release"/],
    [{ when: [{ alpn: 'a b', then: 'reset' }] }, /name of a protocol/],
    [{ when: [{ 'http.method': 'P*', then: 'reset' }] }, /expected a method/],
    [{ when: [{ protocol: 'http', then: 'reset' }] }, /expected one of tls/],
    [{ otherwise: 'steer' }, /found "steer"/],
  ])('%j', (input, message) => {
    expect(() => compilePeek(input as PeekInput)).toThrow(UsageError);
    expect(() => compilePeek(input as PeekInput)).toThrow(message);
  });

  it('by nothing but a UsageError', () => {
    const criterion = fc.oneof(fc.string(), fc.constantFrom('*', 'a', 'tls', 'relay'), fc.anything());
    const keys = fc.constantFrom('sni', 'alpn', 'http.host', 'http.method', 'protocol', 'then', 'release');

    fc.assert(
      fc.property(
        fc.array(fc.dictionary(keys, criterion), { maxLength: 2 }),
        criterion,
        (when, otherwise) => {
          try {
            compilePeek({ when, otherwise } as unknown as PeekInput);
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
          }
        },
      ),
    );
  });
});
