import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from './errors.js';
import { formatPorts, parsePortList, parsePorts } from './ports.js';

const port = fc.integer({ min: 1, max: 65535 });
const range = fc.tuple(port, port).map(([a, b]) => ({ lo: Math.min(a, b), hi: Math.max(a, b) }));

describe('parsePorts', () => {
  it('reads single ports and ranges, sorted', () => {
    expect(parsePorts('443, 80,8000-8100')).toEqual([
      { lo: 80, hi: 80 },
      { lo: 443, hi: 443 },
      { lo: 8000, hi: 8100 },
    ]);
  });

  it('merges duplicate, overlapping and adjacent ranges', () => {
    expect(parsePorts('80,80,1-10,5-20,21')).toEqual([
      { lo: 1, hi: 21 },
      { lo: 80, hi: 80 },
    ]);
  });

  it.each([
    ['', /empty/],
    ['  ', /empty/],
    ['0', /1 to 65535/],
    ['65536', /1 to 65535/],
    ['0-80', /1 to 65535/],
    ['90-80', /backwards/],
    ['80,', /expected a port/],
    ['http', /"http"/],
    ['-1', /expected a port/],
    ['8e1', /expected a port/],
    ['80.5', /expected a port/],
    ['99999999999999999999', /1 to 65535/],
  ])('refuses %j', (text, message) => {
    expect(() => parsePorts(text)).toThrow(UsageError);
    expect(() => parsePorts(text)).toThrow(message);
  });

  it('throws nothing but UsageError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9,\- ]{0,20}$/)), (text) => {
        try {
          parsePorts(text);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });

  it('covers exactly the ports that were written, in disjoint ascending ranges', () => {
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 12 }), port, (ranges, probe) => {
        const parsed = parsePorts(formatPorts(ranges));
        const within = (list: { lo: number; hi: number }[]) =>
          list.some(({ lo, hi }) => lo <= probe && probe <= hi);

        expect(within(parsed)).toBe(within(ranges));
        for (let i = 1; i < parsed.length; i++)
          expect(parsed[i]?.lo).toBeGreaterThan((parsed[i - 1]?.hi ?? 0) + 1);
        expect(parsePorts(formatPorts(parsed))).toEqual(parsed);
      }),
    );
  });
});

describe('parsePortList', () => {
  it('takes numbers and texts', () => {
    expect(parsePortList([80, '8000-8100,443'])).toEqual(parsePorts('80,443,8000-8100'));
  });

  it('throws nothing but UsageError, whatever a caller without types hands over', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          parsePortList(value as number[]);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });
});
