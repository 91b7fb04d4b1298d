import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAddress, isMapped, mapIpv4, parseAddress } from './address.js';

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe('addresses', () => {
  it.each(['192.0.2.7', '0.0.0.0', '2001:db8::1', '::1', '::', 'fe80::1:0:0:1'])(
    '%s comes back from its bytes',
    (text) => {
      expect(formatAddress(parseAddress(text) ?? new Uint8Array())).toBe(text);
    },
  );

  it('any 16 bytes come back from their text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          sixteen,
          fc.ipV4().map((text) => mapIpv4(text.split('.').map(Number))),
        ),
        (bytes) => {
          expect(parseAddress(formatAddress(bytes))).toEqual(bytes);
        },
      ),
    );
  });

  it('reads at an offset', () => {
    const bytes = new Uint8Array(20);

    bytes.set(mapIpv4([10, 0, 0, 1]), 3);
    expect(isMapped(bytes, 3)).toBe(true);
    expect(formatAddress(bytes, 3)).toBe('10.0.0.1');
    expect(() => formatAddress(bytes, 5)).toThrow(RangeError);
  });

  it('any text is an address or null', () => {
    expect(parseAddress('10.1')).toBeNull();
    expect(parseAddress('fe80::1%eth0')).toBeNull();
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:.%]{0,20}$/)), (text) => {
        const bytes = parseAddress(text);

        expect(bytes === null || bytes.length === 16).toBe(true);
      }),
    );
  });
});
