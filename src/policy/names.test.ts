import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from './errors.js';
import { matchesName, parseNamePattern } from './names.js';

const matches = (pattern: string, name: string | undefined) => matchesName(parseNamePattern(pattern), name);

describe('a pattern of names', () => {
  it.each([
    ['example.com', 'example.com', true],
    ['Example.COM.', 'example.com', true],
    ['example.com', 'www.example.com', false],
    ['*.example.com', 'www.example.com', true],
    ['*.Example.com.', 'a.b.c.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', '.example.com', false],
    ['*.example.com', 'badexample.com', false],
    ['*.example.com', 'www.example.com.evil.example', false],
    ['*', 'anything', true],
    ['*', undefined, false],
    ['example.com', undefined, false],
    ['*.example.com', undefined, false],
    ['192.0.2.1', '192.0.2.1', true],
    ['2001:DB8:0::1', '2001:db8::1', true],
    ['[2001:db8::1]', '2001:db8::1', true],
    ['_dmarc.x--y', '_dmarc.x--y', true],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  it.each([
    ['', /expected a name/, /Write a name/],
    [null, /found nothing/, /Write a name/],
    [['a'], /found a list/, /Write a name/],
    ['example.com:443', /expected a name/, /Leave the port out/],
    ['https://example.com', /expected a name/, /without scheme/],
    ['www.*.com', /expected a name/, /asterisk/],
    ['w*.example.com', /expected a name/, /asterisk/],
    ['**', /expected a name/, /asterisk/],
    ['.example.com', /expected a name/, /Write \*\.example\.com/],
    ['a..b', /expected a name/, null],
    ['*.', /expected a name/, null],
    ['a b', /expected a name/, null],
    ['a'.repeat(64), /expected a name/, null],
    ['bücher.example', /beyond ASCII/, /A-labels: xn--bcher-kva\.example\.$/],
    ['*.例え.jp', /beyond ASCII/, /A-labels: \*\.xn--r8jz45g\.jp\.$/],
    ['\u{10ffff}', /beyond ASCII/, /A-labels/],
  ])('refuses %j', (text, message, hint) => {
    try {
      parseNamePattern(text);
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      expect((error as UsageError).message).toMatch(message);
      if (hint) expect((error as UsageError).hint).toMatch(hint);
      return;
    }
    throw new Error('it was accepted');
  });

  it('throws nothing but UsageError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.string(), fc.stringMatching(/^[a-c.*:[\]]{0,12}$/)), (value) => {
        try {
          parseNamePattern(value);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });

  it('matches the names below a name, and no other', () => {
    const name = fc
      .array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 4 })
      .map((labels) => labels.join('.'));

    fc.assert(
      fc.property(name, name, (base, other) => {
        const labels = other.split('.');
        const tail = labels.slice(-base.split('.').length).join('.');

        expect(matches(`*.${base}`, other)).toBe(tail === base && other !== base);
        expect(matches(base, other)).toBe(other === base);
      }),
    );
  });
});
