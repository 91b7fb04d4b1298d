import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseAddress } from './address.js';
import { buildTcpSegment } from './segment.js';
import { hasTsval, raiseTsval, tsvalOf } from './tsval.js';
import { Flag, SegmentView } from './view.js';

const word = fc.integer({ min: 0, max: 0xffffffff });

it('raises what is behind, leaves what is not, and the checksum stays right', () => {
  const view = new SegmentView();
  fc.assert(
    fc.property(word, word, word, fc.uint8Array({ maxLength: 40 }), (tsval, floor, seq, payload) => {
      const packet = buildTcpSegment({
        src: parseAddress('192.0.2.1') as Uint8Array,
        dst: parseAddress('198.51.100.1') as Uint8Array,
        sourcePort: 1,
        destinationPort: 2,
        seq,
        ack: 3,
        flags: Flag.ACK,
        window: 4,
        ttl: 64,
        tos: 0,
        options: { tsval, tsecr: 9 },
        payload,
      });
      expect(view.parse(packet, packet.length)).toBe(true);
      expect(hasTsval(packet, view.headerOffset, view.payloadOffset)).toBe(true);
      raiseTsval(packet, view.headerOffset, floor);
      expect(tsvalOf(packet, view.headerOffset)).toBe(((floor - tsval) | 0) > 0 ? floor : tsval);
      expect(view.checksumIsRight(packet)).toBe(true);
    }),
  );
});
