import { isMapped } from './address.js';
import { u16 } from './bytes.js';

/** One's complement sum of 16-bit words, not yet folded (RFC 1071); an odd last byte is padded with zero. Sums can be
 *  chained by `initial` as long as every part but the last has an even length. */
export function sum16(bytes: Uint8Array, start: number, end: number, initial = 0): number {
  let sum = initial;
  let at = start;

  for (; at + 1 < end; at += 2) sum += u16(bytes, at);
  if (at < end) sum += (bytes[at] ?? 0) << 8;
  return sum;
}

/** Folds a sum into the checksum that goes into the header. */
export function foldChecksum(sum: number): number {
  let folded = sum;

  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

/** The checksum of `bytes`; 0 when they contain their own, right checksum. */
export function internetChecksum(bytes: Uint8Array, start = 0, end = bytes.length): number {
  return foldChecksum(sum16(bytes, start, end));
}

/** Sum of the pseudo header: RFC 9293 section 3.1 for IPv4, RFC 8200 section 8.1 for IPv6. Addresses are 16 bytes; the
 *  mapped prefix says which. For TCP the two differ in the addresses alone, once folded. */
export function pseudoHeaderSum(src: Uint8Array, dst: Uint8Array, protocol: number, length: number): number {
  const from = isMapped(src) && isMapped(dst) ? 12 : 0;
  const addresses = sum16(dst, from, 16, sum16(src, from, 16));

  return addresses + protocol + (length >>> 16) + (length & 0xffff);
}

/** The checksum of a TCP segment that spans `start` to `end`; 0 when the segment contains its own, right checksum. */
export function tcpChecksum(
  src: Uint8Array,
  dst: Uint8Array,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): number {
  return foldChecksum(sum16(bytes, start, end, pseudoHeaderSum(src, dst, 6, end - start)));
}
