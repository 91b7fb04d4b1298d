import { describe, expect, it } from 'vitest';
import { disagreement, LineReader } from './protocol.js';

function read(...pieces: string[]): { lines: object[]; bad: string[] } {
  const lines: object[] = [];
  const bad: string[] = [];
  const reader = new LineReader(
    (line) => lines.push(line),
    (why) => bad.push(why),
  );
  for (const piece of pieces) reader.feed(piece);
  return { lines, bad };
}

describe('LineReader', () => {
  it('reads lines however they are cut', () => {
    expect(read('{"a":', '1}\n{"b"', ':2}\n{').lines).toEqual([{ a: 1 }, { b: 2 }]);
  });

  it.each(['220 mail.example ESMTP\n', '[1]\n', 'null\n', '7\n', '\n'])('refuses %j, once', (text) => {
    const { lines, bad } = read('{"a":1}\n', text, text, '{"b":2}\n');
    expect(lines).toEqual([{ a: 1 }]);
    expect(bad).toHaveLength(1);
  });

  it('refuses a line without an end', () => {
    expect(read('{"a":"', 'x'.repeat(8_000_001)).bad).toHaveLength(1);
  });
});

describe('disagreement', () => {
  const mine = { audit: 1, desplice: '1.2.3' };

  it('accepts the same version', () => {
    expect(disagreement(mine, { ...mine, more: true })).toBeNull();
  });

  it.each([
    [{ audit: 2, desplice: '1.2.3' }, 'audit 2'],
    [{ audit: 1, desplice: '1.2.4' }, 'desplice 1.2.4'],
    [{ hello: 'world' }, 'does not speak'],
    [null, 'does not speak'],
  ])('refuses %j', (other, words) => {
    expect(disagreement(mine, other)).toContain(words);
  });
});
