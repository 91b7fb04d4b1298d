import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from './address.js';
import { parseIp } from './ip.js';
import { buildTcpSegment } from './segment.js';
import { parseTcp } from './tcp.js';
import { SegmentView } from './view.js';

const pairs = [
  ['192.0.2.7', '198.51.100.2'],
  ['2001:db8:1::7', '2001:db8:2::2'],
].map((pair) => pair.map((text) => parseAddress(text) as Uint8Array) as [Uint8Array, Uint8Array]);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u16 = fc.integer({ min: 0, max: 0xffff });

describe('SegmentView', () => {
  it('reads what the careful parsers read', () => {
    const view = new SegmentView();
    fc.assert(
      fc.property(
        fc.constantFrom(...pairs),
        u32,
        u32,
        u16,
        fc.uint8Array({ maxLength: 60 }),
        ([src, dst], seq, ack, port, payload) => {
          const packet = buildTcpSegment({
            src,
            dst,
            sourcePort: port,
            destinationPort: 80,
            seq,
            ack,
            flags: 0x18,
            window: 7,
            ttl: 61,
            tos: 0x28,
            options: { tsval: seq, tsecr: ack },
            payload,
          });
          expect(view.parse(packet, packet.length)).toBe(true);
          const ip = parseIp(packet);
          if (!ip.ok) throw new Error(ip.reason);
          const tcp = parseTcp(packet, ip.headerLength);
          if (!tcp.ok) throw new Error(tcp.reason);
          expect([
            view.sourcePort,
            view.sequence,
            view.acknowledgement,
            view.flags,
            view.ttl,
            view.tos,
          ]).toEqual([tcp.sourcePort, tcp.seq, tcp.ack, tcp.flags, ip.ttl, ip.tos]);
          expect([view.source, view.destination]).toEqual([src, dst]);
          const at = view.payloadOffset;
          expect(packet.subarray(at, at + view.payloadLength)).toEqual(payload);
          expect(view.checksumIsRight(packet)).toBe(true);
          packet[packet.length - 1] = (packet[packet.length - 1] as number) ^ 1;
          expect(view.checksumIsRight(packet)).toBe(false);
        },
      ),
    );
  });

  it('never throws, and never claims bytes that are not there', () => {
    const view = new SegmentView();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(0x45, 0x4f, 0x60), (bytes, first) => {
        bytes[0] = first;
        if (view.parse(bytes, bytes.length)) {
          expect(view.payloadOffset + view.payloadLength).toBeLessThanOrEqual(bytes.length);
        }
      }),
    );
  });
});
