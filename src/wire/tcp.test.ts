import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTcp, parseTcpOptions } from './tcp.js';

const options = (...bytes: number[]) => parseTcpOptions(Uint8Array.from(bytes), 0, bytes.length);

describe('parseTcpOptions', () => {
  it("reads the options of Linux's SYN", () => {
    const syn = options(2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0, 1, 3, 3, 7);

    expect(syn).toEqual({
      mss: 1460,
      windowScale: 7,
      sackPermitted: true,
      timestamps: { tsval: 256, tsecr: 0 },
      others: [],
      wellFormed: true,
    });
  });

  it('stops at the end of the list', () => {
    expect(options(0, 2, 4, 5, 0xb4)).toMatchObject({ mss: null, wellFormed: true });
  });

  it('names the kinds that it does not read', () => {
    expect(options(30, 4, 0, 0, 34, 2, 3, 3, 7)).toMatchObject({ others: [30, 34], windowScale: 7 });
  });

  it('skips a known kind with a wrong length and goes on', () => {
    expect(options(2, 3, 5, 3, 3, 7)).toMatchObject({
      mss: null,
      windowScale: 7,
      others: [2],
      wellFormed: true,
    });
  });

  it.each([
    ['0', [3, 3, 7, 2, 0]],
    ['1', [3, 3, 7, 2, 1, 0]],
    ['past the end', [3, 3, 7, 2, 4, 5]],
    ['cut off', [3, 3, 7, 2]],
  ])('keeps what came before a length of %s', (_, bytes) => {
    expect(options(...bytes)).toMatchObject({ windowScale: 7, mss: null, wellFormed: false });
  });
});

describe('parseTcp', () => {
  it.each([
    ['header', new Uint8Array(19)],
    ['data offset', Uint8Array.from({ length: 20 }, (_, i) => (i === 12 ? 0x40 : 0))],
    ['data offset', Uint8Array.from({ length: 20 }, (_, i) => (i === 12 ? 0x60 : 0))],
  ])('refuses a wrong %s', (field, bytes) => {
    expect(parseTcp(bytes)).toMatchObject({ ok: false, field });
  });

  it('never throws, whatever the bytes and the bounds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(90), fc.nat(90), (bytes, start, end) => {
        const tcp = parseTcp(bytes, start, end);

        if (tcp.ok) expect(start + tcp.dataOffset).toBeLessThanOrEqual(Math.min(end, bytes.length));
      }),
      { numRuns: 1000 },
    );
  });
});
