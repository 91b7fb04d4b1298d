/** TCP options by the names that tcpdump gives them, in the order of the wire. Values of timestamps are left out. */
import { u8, u16 } from '../wire/bytes.js';

export function optionTexts(bytes: Uint8Array, start: number, end: number): string[] {
  const texts: string[] = [];
  let at = start;

  while (at < end) {
    const kind = u8(bytes, at);
    if (kind === 0) {
      texts.push('eol');
      break;
    }
    if (kind === 1) {
      texts.push('nop');
      at++;
      continue;
    }
    const length = at + 1 < end ? u8(bytes, at + 1) : 0;
    if (length < 2 || at + length > end) {
      texts.push(`malformed ${kind}`);
      break;
    }
    texts.push(textOf(bytes, at, kind, length));
    at += length;
  }
  return texts;
}

function textOf(bytes: Uint8Array, at: number, kind: number, length: number): string {
  if (kind === 2 && length === 4) return `mss ${u16(bytes, at + 2)}`;
  if (kind === 3 && length === 3) return `wscale ${u8(bytes, at + 2)}`;
  if (kind === 4 && length === 2) return 'sackOK';
  if (kind === 5) return `sack ${(length - 2) / 8}`;
  if (kind === 8 && length === 10) return 'TS';
  return `option ${kind} ${Buffer.from(bytes.subarray(at + 2, at + length)).toString('hex')}`.trimEnd();
}
