/** Sequence numbers are modulo 2^32; which of two comes first is known while they are less than 2^31 apart
 *  (RFC 9293 section 3.4). The same arithmetic serves timestamps (RFC 7323 section 5.2). */

export function seqAdd(seq: number, count: number): number {
  return (seq + count) >>> 0;
}

/** How far `a` is ahead of `b`, -2^31 to 2^31 - 1. */
export function seqDistance(a: number, b: number): number {
  return (a - b) | 0;
}

export function seqBefore(a: number, b: number): boolean {
  return seqDistance(a, b) < 0;
}

export function seqAfter(a: number, b: number): boolean {
  return seqDistance(b, a) < 0;
}
