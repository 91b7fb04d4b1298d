import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOf, parseIp } from './ip.js';

function ipv4(fields: Record<number, number> = {}, length = 40): Uint8Array {
  const bytes = new Uint8Array(length);

  bytes.set([0x45, 0xb8, 0, length, 0, 0, 0x40, 0, 63, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2]);
  for (const [offset, value] of Object.entries(fields)) bytes[Number(offset)] = value;
  return bytes;
}

function ipv6(next: number, rest: number[]): Uint8Array {
  const bytes = new Uint8Array(40 + rest.length);

  bytes.set([0x6a, 0xb1, 0x23, 0x45, 0, rest.length, next, 61, 0x20, 0x01]);
  bytes.set(rest, 40);
  return bytes;
}

const tcp = new Array(20).fill(0);

describe('parseIp, version 4', () => {
  it('reads the fields', () => {
    const bytes = ipv4();
    const ip = parseIp(bytes);

    expect(ip).toEqual({
      ok: true,
      version: 4,
      headerLength: 20,
      protocol: 6,
      totalLength: 40,
      ttl: 63,
      tos: 0xb8,
      flowLabel: 0,
      src: 12,
      dst: 16,
      fragment: false,
    });
    expect([...addressOf(bytes, 4, 12).subarray(10)]).toEqual([255, 255, 192, 0, 2, 1]);
  });

  it('counts options, and ignores what lies behind the packet', () => {
    expect(parseIp(ipv4({ 0: 0x47, 3: 32 }))).toMatchObject({ headerLength: 28, totalLength: 32 });
  });

  it.each([
    ['more fragments', { 6: 0x20 }, true],
    ['an offset', { 7: 1 }, true],
    ["don't fragment", { 6: 0x40 }, false],
    ['the evil bit', { 6: 0x80 }, false],
  ])('tells a fragment: %s', (_, fields, fragment) => {
    expect(parseIp(ipv4(fields))).toMatchObject({ fragment });
  });

  it.each([
    ['version', ipv4({ 0: 0x55 })],
    ['version', new Uint8Array(0)],
    ['header', ipv4().subarray(0, 19)],
    ['header length', ipv4({ 0: 0x44 })],
    ['total length', ipv4({ 3: 19 })],
    ['total length', ipv4({ 3: 41 })],
  ])('refuses a wrong %s', (field, bytes) => {
    expect(parseIp(bytes)).toMatchObject({ ok: false, field });
  });
});

describe('parseIp, version 6', () => {
  it('reads the fields', () => {
    expect(parseIp(ipv6(6, tcp))).toEqual({
      ok: true,
      version: 6,
      headerLength: 40,
      protocol: 6,
      totalLength: 60,
      ttl: 61,
      tos: 0xab,
      flowLabel: 0x12345,
      src: 8,
      dst: 24,
      fragment: false,
    });
  });

  it('walks extension headers', () => {
    const hop = [60, 0, 0, 0, 0, 0, 0, 0];
    const destination = [43, 1, ...new Array(14).fill(0)];
    const route = [51, 0, 0, 0, 0, 0, 0, 0];
    const auth = [6, 1, ...new Array(10).fill(0)];

    expect(parseIp(ipv6(0, [...hop, ...destination, ...route, ...auth, ...tcp]))).toMatchObject({
      headerLength: 40 + 8 + 16 + 8 + 12,
      protocol: 6,
    });
  });

  it.each([
    ['the first of several', [6, 0, 0, 1, 0, 0, 0, 1], true, 48],
    ['a later one', [60, 0, 0, 8, 0, 0, 0, 1], true, 48],
    ['an atomic one', [6, 0, 0, 0, 0, 0, 0, 1], false, 48],
  ])('tells a fragment: %s', (_, header, fragment, headerLength) => {
    expect(parseIp(ipv6(44, [...header, ...tcp]))).toMatchObject({ ok: true, fragment, headerLength });
  });

  it('refuses an extension header that reaches past the packet', () => {
    expect(parseIp(ipv6(0, [6, 9, 0, 0, 0, 0, 0, 0]))).toMatchObject({
      ok: false,
      field: 'extension header',
    });
    expect(parseIp(ipv6(0, [6, 0]))).toMatchObject({ ok: false, field: 'extension header' });
  });
});

describe('parseIp', () => {
  it('never throws, and never says more than there is', () => {
    const version = fc.constantFrom(0x45, 0x4f, 0x60);
    const nextHeader = fc.constantFrom(0, 6, 43, 44, 51, 60);

    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        version,
        nextHeader,
        fc.nat(130),
        fc.boolean(),
        (bytes, first, next, length, fit) => {
          // Random lengths are refused at once: let half of the packets get further.
          const lengthField =
            first === 0x60 ? { at: 4, value: bytes.length - 40 } : { at: 2, value: bytes.length };

          if (bytes.length > 0) bytes[0] = first;
          if (fit && bytes.length >= 40) bytes.set([0, lengthField.value], lengthField.at);
          if (fit && bytes.length >= 40 && first === 0x60) bytes[6] = next;
          const ip = parseIp(bytes, length);

          if (!ip.ok) return;
          expect(ip.headerLength).toBeLessThanOrEqual(ip.totalLength);
          expect(ip.totalLength).toBeLessThanOrEqual(Math.min(bytes.length, length));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
