import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cidrContains, formatCidr, parseCidr, withoutMapped } from './cidr.js';
import { UsageError } from './errors.js';

const bytes = (text: string) => parseCidr(text).bytes;

describe('parseCidr', () => {
  it('writes IPv4 as a mapped address', () => {
    expect([...bytes('192.0.2.0/24')]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 0]);
    expect(parseCidr('192.0.2.0/24').prefix).toBe(120);
    expect(parseCidr('192.0.2.7').prefix).toBe(128);
    expect(parseCidr('0.0.0.0/0').prefix).toBe(96);
  });

  it('takes a mapped address for the IPv4 address that it is', () => {
    expect(parseCidr('::ffff:192.0.2.0/120')).toEqual(parseCidr('192.0.2.0/24'));
  });

  it('says what was probably meant when bits are set behind the prefix', () => {
    expect(() => parseCidr('10.0.0.1/8')).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('10.0.0.0/8') }),
    );
  });

  it.each([
    '',
    '/',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '2001:db8::/129',
    'fe80::1%eth0',
  ])('refuses %j', (text) => expect(() => parseCidr(text)).toThrow(UsageError));

  it.each(['10.1', '010.0.0.1', '0x7f.0.0.1', '2130706433', 'example.com', '10.0.0.0/255.0.0.0'])(
    'refuses %j, which other programs read in different ways',
    (text) => expect(() => parseCidr(text)).toThrow(UsageError),
  );

  it('throws nothing but UsageError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:./%]{0,24}$/)), (text) => {
        try {
          parseCidr(text);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });

  it('comes back the same from its text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(128), (address, cut) => {
        const whole = parseCidr(address);
        // ::ffff:a.b.c.d with a prefix below 96 is no network of IPv4: keep within the family.
        const least = address.includes(':') ? 0 : 96;
        const prefix = Math.max(least, cut);
        const cidr = {
          prefix,
          bytes: whole.bytes.map((b, i) => b & (0xff00 >> Math.min(8, Math.max(0, prefix - i * 8)))),
        };

        expect(parseCidr(formatCidr(cidr))).toEqual(cidr);
        expect(cidrContains(cidr, whole.bytes)).toBe(true);
      }),
    );
  });
});

describe('cidrContains', () => {
  it('compares bit by bit', () => {
    const range = parseCidr('10.0.0.0/9');

    expect(cidrContains(range, bytes('10.127.255.255'))).toBe(true);
    expect(cidrContains(range, bytes('10.128.0.0'))).toBe(false);
    expect(cidrContains(range, bytes('::a00:0'))).toBe(false);
  });
});

describe('withoutMapped', () => {
  const anyV6 = withoutMapped(parseCidr('::/0'));

  it('makes ::/0 mean IPv6 and never IPv4', () => {
    const inside = (text: string) => anyV6.some((cidr) => cidrContains(cidr, bytes(text)));

    for (const text of ['2001:db8::1', 'fe80::1', 'fd00::1', '64:ff9b::1', '1::', 'ffff::'])
      expect(inside(text)).toBe(true);
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect(inside(text)).toBe(false);
      }),
    );
    expect(anyV6).toHaveLength(16);
  });

  it('cuts IPv4 out of any range around it', () => {
    for (const text of ['::/16', '::/80', '::fffe:0:0/95']) {
      for (const cidr of withoutMapped(parseCidr(text)))
        expect(cidrContains(cidr, bytes('0.0.0.0'))).toBe(false);
    }
  });

  it('leaves every other range alone', () => {
    for (const text of ['2000::/3', '0.0.0.0/0', '::1/128', '10.0.0.0/8']) {
      expect(withoutMapped(parseCidr(text))).toEqual([parseCidr(text)]);
    }
  });
});
