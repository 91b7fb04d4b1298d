import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUpkeep } from './upkeep.js';

const ethernet = (type: number) => [...new Array<number>(12).fill(2), type >> 8, type & 255];
const ipv6 = (next: number) => [0x60, 0, 0, 0, 0, 24, next, 255, ...new Array<number>(32).fill(1)];
const rest = new Array<number>(24).fill(0);
const judge = (...parts: number[][]) => {
  const bytes = Uint8Array.from([9, 9, ...parts.flat()]);
  return isUpkeep(bytes, 2, bytes.length - 2);
};

describe('what neighbours say to find each other', () => {
  it.each([
    ['ARP', judge(ethernet(0x0806), rest)],
    ['a router solicitation', judge(ethernet(0x86dd), ipv6(58), [133], rest)],
    ['a neighbour solicitation', judge(ethernet(0x86dd), ipv6(58), [135], rest)],
    ['a neighbour advertisement', judge(ethernet(0x86dd), ipv6(58), [136], rest)],
    [
      'a listener report behind a router alert',
      judge(ethernet(0x86dd), ipv6(0), [58, 0, 5, 2, 0, 0, 1, 0, 143], rest),
    ],
  ])('%s', (_, is) => expect(is).toBe(true));
});

describe('what the path is about', () => {
  it.each([
    ['IPv4', judge(ethernet(0x0800), [0x45], rest, rest)],
    ['TCP over IPv6', judge(ethernet(0x86dd), ipv6(6), [135], rest)],
    ['an echo request', judge(ethernet(0x86dd), ipv6(58), [128], rest)],
    ['packet too big', judge(ethernet(0x86dd), ipv6(58), [2], rest)],
    ['a frame that ends too soon', judge(ethernet(0x86dd), [0x60])],
    ['nothing', judge([])],
  ])('%s', (_, is) => expect(is).toBe(false));
});

it('reads nothing outside the frame', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(0x0806, 0x86dd, 0x0800), (tail, type) => {
      const frame = Uint8Array.from([...ethernet(type), ...tail]);
      const room = new Uint8Array(frame.length + 100).fill(135);
      room.set(frame);
      const zeros = new Uint8Array(frame.length + 100);
      zeros.set(frame);
      expect(isUpkeep(room, 0, frame.length)).toBe(isUpkeep(zeros, 0, frame.length));
    }),
  );
});
