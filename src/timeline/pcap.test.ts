import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPcap, readPcapHeader, readPcapRecords } from './pcap.js';

interface Record {
  seconds: number;
  fraction: number;
  bytes: Uint8Array;
  more: number;
}

function pcap(records: Record[], { little = true, nanoseconds = false, linkType = 1 } = {}): Uint8Array {
  const size = records.reduce((sum, { bytes }) => sum + 16 + bytes.length, 24);
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  view.setUint32(0, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 4, little);
  view.setUint32(16, 65_535, little);
  view.setUint32(20, linkType, little);
  let at = 24;
  for (const { seconds, fraction, bytes, more } of records) {
    view.setUint32(at, seconds, little);
    view.setUint32(at + 4, fraction, little);
    view.setUint32(at + 8, bytes.length, little);
    view.setUint32(at + 12, bytes.length + more, little);
    file.set(bytes, at + 16);
    at += 16 + bytes.length;
  }
  return file;
}

const record = fc.record({
  seconds: fc.nat(0x7fffffff),
  fraction: fc.nat(999_999),
  bytes: fc.uint8Array({ maxLength: 200 }),
  more: fc.nat(2000),
});

describe('readPcap', () => {
  it('reads what was written, in either byte order', () => {
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 8 }),
        fc.boolean(),
        fc.boolean(),
        (records, little, nanoseconds) => {
          const read = readPcap(pcap(records, { little, nanoseconds }));
          if (!read.ok) throw new Error(read.reason);
          expect(read.frames).toEqual(
            records.map(({ seconds, fraction, bytes, more }) => ({
              time: seconds * 1e6 + (nanoseconds ? fraction / 1000 : fraction),
              bytes,
              length: bytes.length + more,
            })),
          );
        },
      ),
    );
  });

  it('reads a file piece by piece, wherever it is cut', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), fc.nat(), (records, cut) => {
        const file = pcap(records);
        const at = 24 + (cut % (file.length - 23));
        const header = readPcapHeader(file);
        if (!header.ok) throw new Error(header.reason);
        const first = readPcapRecords(header, file.subarray(0, at), 24);
        if (!first.ok) throw new Error(first.reason);
        const second = readPcapRecords(header, file, first.used);
        if (!second.ok) throw new Error(second.reason);
        expect(first.used).toBeLessThanOrEqual(at);
        expect(second.used).toBe(file.length);
        expect(first.frames.length + second.frames.length).toBe(records.length);
      }),
    );
  });

  it('never throws, and never reads past the end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, asPcap) => {
        const file = asPcap ? Uint8Array.from([0xd4, 0xc3, 0xb2, 0xa1, ...bytes]) : bytes;
        const read = readPcap(file);
        if (read.ok) expect(read.used).toBeLessThanOrEqual(file.length);
        else expect(read.reason).not.toBe('');
      }),
    );
  });

  it.each([
    ['magic', pcap([]).fill(0, 0, 4)],
    ['file header', pcap([]).subarray(0, 23)],
    [
      'captured length',
      pcap([{ seconds: 0, fraction: 0, bytes: new Uint8Array(4), more: 0 }]).fill(255, 32, 36),
    ],
  ])('says what is wrong: %s', (field, file) => {
    expect(readPcap(file)).toMatchObject({ ok: false, field });
  });
});
