/** The timestamps option where nearly every stack has it: NOP NOP TS first (RFC 7323 appendix A). */
import { putU16, putU32, u16, u32 } from './bytes.js';
import { foldChecksum } from './checksum.js';

const NOP_NOP_TS = 0x0101080a;

/** Whether the TCP header at `at`, whose payload begins at `end`, has the option there. */
export const hasTsval = (packet: Uint8Array, at: number, end: number): boolean =>
  end >= at + 32 && u32(packet, at + 20) === NOP_NOP_TS;

export const tsvalOf = (packet: Uint8Array, at: number): number => u32(packet, at + 24);
export const tsecrOf = (packet: Uint8Array, at: number): number => u32(packet, at + 28);

/** Makes TSval at least `floor`, compared as RFC 7323 section 5.2 does; the checksum follows (RFC 1624). */
export function raiseTsval(packet: Uint8Array, at: number, floor: number): void {
  const before = tsvalOf(packet, at);
  if (((floor - before) | 0) <= 0) return;
  const words = (value: number) => (value >>> 16) + (value & 0xffff);
  // ~(~checksum + ~old + new), and ~x is 0xffff - x for each of the two words.
  const sum = (~u16(packet, at + 16) & 0xffff) + (2 * 0xffff - words(before)) + words(floor);
  putU16(packet, at + 16, foldChecksum(sum));
  putU32(packet, at + 24, floor);
}
