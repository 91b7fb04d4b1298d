import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapIpv4 } from './address.js';
import { foldChecksum, internetChecksum, pseudoHeaderSum, sum16, tcpChecksum } from './checksum.js';
import { addressOf, parseIp } from './ip.js';

describe('internetChecksum', () => {
  it("agrees with RFC 1071's example", () => {
    // Section 3: the sum is ddf2.
    expect(internetChecksum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7))).toBe(
      ~0xddf2 & 0xffff,
    );
  });

  it('pads an odd byte', () => {
    expect(internetChecksum(Uint8Array.of(1, 2, 3))).toBe(internetChecksum(Uint8Array.of(1, 2, 3, 0)));
  });

  it('is 0 over bytes that contain it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 200 }), (bytes) => {
        bytes[0] = bytes[1] = 0;
        const sum = internetChecksum(bytes);

        bytes[0] = sum >> 8;
        bytes[1] = sum & 255;
        expect(internetChecksum(bytes)).toBe(0);
      }),
    );
  });
});

describe('pseudoHeaderSum', () => {
  it('covers four bytes of each IPv4 address', () => {
    const header = Uint8Array.of(192, 0, 2, 1, 198, 51, 100, 2, 0, 6, 0, 20);
    const sum = pseudoHeaderSum(mapIpv4([192, 0, 2, 1]), mapIpv4([198, 51, 100, 2]), 6, 20);

    expect(foldChecksum(sum)).toBe(internetChecksum(header));
  });

  it('is the header of RFC 8200 for IPv6, whose length has 32 bits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(70000), (addresses, length) => {
        addresses[0] = addresses[16] = 0x20;
        const tail = Uint8Array.of(0, length >> 16, (length >> 8) & 255, length & 255, 0, 0, 0, 6);
        const sum = pseudoHeaderSum(addresses.subarray(0, 16), addresses.subarray(16), 6, length);

        expect(foldChecksum(sum)).toBe(foldChecksum(sum16(tail, 0, 8, sum16(addresses, 0, 32))));
      }),
    );
  });
});

describe('tcpChecksum', () => {
  // SYNs of Linux 6.18 as they arrived over a veth pair with checksum offload switched off at the sender.
  it.each([
    [
      'IPv4',
      '4500003cf24c40004006c46bc0000201c00002029c400050d86820fc00000000a002faf07c1c0000' +
        '020405b40402080a243b92bb000000000103030a',
      0x7c1c,
    ],
    [
      'IPv6',
      '600bd8af0028064020010db800000000000000000000000120010db8000000000000000000000002' +
        '9c410050544c559300000000a002fd20cb2b0000020405a00402080ab4a4293a000000000103030a',
      0xcb2b,
    ],
  ])('is what Linux put into a SYN over %s', (_, hex, checksum) => {
    const packet = Uint8Array.from(Buffer.from(hex, 'hex'));
    const ip = parseIp(packet);

    if (!ip.ok) throw new Error(ip.reason);
    const src = addressOf(packet, ip.version, ip.src);
    const dst = addressOf(packet, ip.version, ip.dst);

    expect(tcpChecksum(src, dst, packet, ip.headerLength)).toBe(0);
    packet.fill(0, ip.headerLength + 16, ip.headerLength + 18);
    expect(tcpChecksum(src, dst, packet, ip.headerLength)).toBe(checksum);
  });
});
