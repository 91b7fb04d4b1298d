import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapIpv4 } from './address.js';
import { internetChecksum, tcpChecksum } from './checksum.js';
import { addressOf, parseIp } from './ip.js';
import { buildTcpSegment, type SegmentInput } from './segment.js';
import { parseTcp } from './tcp.js';

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => mapIpv4(bytes));
const v6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => {
  bytes[0] = 0x20;
  return bytes;
});

const segment = fc.boolean().chain((four) =>
  fc.record({
    src: four ? v4 : v6,
    dst: four ? v4 : v6,
    sourcePort: u16,
    destinationPort: u16,
    seq: u32,
    ack: u32,
    flags: fc.integer({ min: 0, max: 0x1ff }),
    window: u16,
    options: fc.record({
      mss: fc.option(u16, { nil: undefined }),
      windowScale: fc.option(u8, { nil: undefined }),
      sackPermitted: fc.boolean(),
      tsval: fc.option(u32, { nil: undefined }),
      tsecr: u32,
    }),
    payload: fc.uint8Array({ maxLength: 100 }),
    ttl: u8,
    tos: u8,
    flowLabel: four ? fc.constant(0) : fc.nat(0xfffff),
  }),
);

describe('buildTcpSegment', () => {
  it('is what the parsers read back', () => {
    fc.assert(
      fc.property(segment, (input) => {
        const { src, dst, options, payload, ttl, tos, flowLabel, ...header } = input;
        const packet = buildTcpSegment(input);
        const ip = parseIp(packet);

        if (!ip.ok) throw new Error(ip.reason);
        expect(ip).toMatchObject({
          protocol: 6,
          totalLength: packet.length,
          ttl,
          tos,
          flowLabel,
          fragment: false,
        });
        expect(addressOf(packet, ip.version, ip.src)).toEqual(src);
        expect(addressOf(packet, ip.version, ip.dst)).toEqual(dst);
        const tcp = parseTcp(packet, ip.headerLength);

        if (!tcp.ok) throw new Error(tcp.reason);
        expect(tcp).toMatchObject(header);
        expect(tcp.options).toEqual({
          mss: options.mss ?? null,
          windowScale: options.windowScale ?? null,
          sackPermitted: options.sackPermitted,
          timestamps: { tsval: options.tsval ?? 0, tsecr: options.tsecr },
          others: [],
          wellFormed: true,
        });
        expect(packet.slice(ip.headerLength + tcp.dataOffset)).toEqual(payload);
        expect(tcpChecksum(src, dst, packet, ip.headerLength)).toBe(0);
        if (ip.version === 4) expect(internetChecksum(packet, 0, 20)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  const bare: SegmentInput = {
    src: mapIpv4([192, 0, 2, 1]),
    dst: mapIpv4([198, 51, 100, 2]),
    sourcePort: 50000,
    destinationPort: 80,
    seq: 1,
    ack: 2,
    flags: 0x10,
    window: 512,
    ttl: 64,
    tos: 0,
  };

  it('has no options and no payload unless told', () => {
    expect(buildTcpSegment(bare)).toHaveLength(40);
    expect(buildTcpSegment({ ...bare, options: { tsval: 1, tsecr: 2 } })).toHaveLength(52);
  });

  it('refuses what no packet can hold', () => {
    expect(() => buildTcpSegment({ ...bare, dst: new Uint8Array(16) })).toThrow(/different address families/);
    expect(() => buildTcpSegment({ ...bare, payload: new Uint8Array(65500) })).toThrow(/does not fit/);
  });
});
