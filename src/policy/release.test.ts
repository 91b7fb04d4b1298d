import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from './errors.js';
import { parseBytes, parseDuration, parseRelease, type ReleaseInput } from './release.js';

describe('release', () => {
  it.each([
    [1, 1],
    ['1B', 1],
    ['64KiB', 65536],
    ['10 kB', 10_000],
    ['3MB', 3_000_000],
    ['2GiB', 2 ** 31],
  ])('after %j', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  it.each([0, -1, 1.5, Number.NaN, '64', '64K', '64kib', '1.5MiB', '0B', '', null, {}, '9007199254740993GB'])(
    'refuses after %j',
    (value) => expect(() => parseBytes(value)).toThrow(UsageError),
  );

  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5 m', 300_000],
    ['1h', 3_600_000],
    ['30d', 2_592_000_000],
  ])('idle %j', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([30, '30', '0s', '31d', '1.5s', '-1s', '1M', '1constructor', '', null])(
    'refuses idle %j',
    (value) => expect(() => parseDuration(value)).toThrow(UsageError),
  );

  it('says either or both', () => {
    expect(parseRelease({ after: '1KiB' })).toEqual({ after: 1024, idleMs: null });
    expect(parseRelease({ idle: '1s' })).toEqual({ after: null, idleMs: 1000 });
    expect(parseRelease({ after: 5, idle: '1s' })).toEqual({ after: 5, idleMs: 1000 });
  });

  it.each([[{}], [{ afer: 1 }], [null], ['30s'], [[]], [{ after: null }]])('refuses %j', (value) => {
    expect(() => parseRelease(value as ReleaseInput)).toThrow(UsageError);
  });

  it('throws nothing but UsageError', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          parseRelease(value as ReleaseInput);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });
});
