import fc from 'fast-check';
import { expect, it } from 'vitest';
import { AckWriter } from './ack.js';
import { buildTcpSegment } from './segment.js';

const address = fc.oneof(
  fc
    .uint8Array({ minLength: 4, maxLength: 4 })
    .map((b) => Uint8Array.from([...Array(10).fill(0), 255, 255, ...b])),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => Uint8Array.from([0x20, ...b.subarray(1)])),
);
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

it('writes what the general builder builds', () => {
  const writer = new AckWriter();
  fc.assert(
    fc.property(
      address,
      address,
      fc.boolean(),
      u16,
      u16,
      u32,
      u32,
      u16,
      u32,
      u32,
      (a, b, ts, sp, dp, seq, ack, window, tsval, tsecr) => {
        const v6 = a[0] === 0x20;
        fc.pre(v6 === (b[0] === 0x20));
        const key = new Uint8Array(36);
        key.set(a, 0);
        key.set(b, 16);
        const length = writer.write(v6 ? 6 : 4, key, 0, sp, 16, dp, seq, ack, window, ts, tsval, tsecr);
        const expected = buildTcpSegment({
          src: a,
          dst: b,
          sourcePort: sp,
          destinationPort: dp,
          seq,
          ack,
          flags: 16,
          window,
          ttl: 64,
          tos: 0,
          options: ts ? { tsval, tsecr } : {},
        });
        expect(writer.packet.slice(0, length)).toEqual(expected);
      },
    ),
  );
});
