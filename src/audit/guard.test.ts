import { describe, expect, it } from 'vitest';
import { parseAddress } from '../wire/address.js';
import { buildTcpSegment } from '../wire/segment.js';
import { callRefused, packetRefused } from './guard.js';
import { buildIcmpError } from './icmp.js';

const grounds = { ports: { first: 7410, last: 7609 }, address: '198.51.100.2' };
const peers = new Set(['192.0.2.2']);
const address = (text: string) => parseAddress(text) as Uint8Array;

describe('callRefused', () => {
  it('lets a client listen on the ports of the audit', () => {
    expect(callRefused('listen', [4, '198.51.100.2', 7410, { SO_RCVBUF: 4096 }], grounds)).toBeNull();
  });

  it('lets it read a head, whose length is bounded, without naming one', () => {
    expect(callRefused('head', [1, 3000], grounds)).toBeNull();
  });

  it.each([
    ['connect', [4, '198.51.100.9', 22, {}]],
    ['clean', []],
    ['constructor', []],
    ['listen', [4, '198.51.100.2', 22]],
    ['listen', [4, '0.0.0.0', 7410]],
    ['mute', [4, '198.51.100.2', '7410']],
    ['listen', [4, '198.51.100.2', 7410, { SO_MARK: 1 }]],
    ['set', [1, 'SO_MARK', 1]],
    ['receive', [1, null, 0, 0, 1000]],
  ])('refuses %s%j', (name, args) => {
    expect(callRefused(name, args, grounds)).toEqual(expect.any(String));
  });
});

describe('packetRefused', () => {
  const segment = (src: string, dst: string, sourcePort: number) =>
    buildTcpSegment({
      src: address(src),
      dst: address(dst),
      sourcePort,
      destinationPort: 50_000,
      seq: 1,
      ack: 0,
      flags: 2,
      window: 100,
      ttl: 64,
      tos: 0,
    });

  it('lets a client send from the ports of the audit to itself', () => {
    expect(packetRefused(segment('198.51.100.2', '192.0.2.2', 7410), grounds, peers)).toBeNull();
  });

  it.each([
    ['another source', segment('198.51.100.3', '192.0.2.2', 7410)],
    ['another destination', segment('198.51.100.2', '203.0.113.7', 7410)],
    ['another port', segment('198.51.100.2', '192.0.2.2', 22)],
    ['what is no packet', new Uint8Array(20)],
  ])('refuses %s', (_, packet) => {
    expect(packetRefused(packet, grounds, peers)).toEqual(expect.any(String));
  });

  it('lets errors about segments to the ports of the audit go, and no others', () => {
    const about = (port: number) => {
      const quoted = segment('192.0.2.2', '198.51.100.2', 50_000);
      quoted[22] = port >> 8;
      quoted[23] = port & 255;
      return buildIcmpError({
        from: address('198.51.100.2'),
        to: address('192.0.2.2'),
        type: 3,
        code: 1,
        about: quoted,
      });
    };
    expect(packetRefused(about(7500), grounds, peers)).toBeNull();
    expect(packetRefused(about(22), grounds, peers)).toEqual(expect.any(String));
  });
});
