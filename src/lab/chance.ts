/** Chance that can be repeated: a number from a stream and a place in it, without state. */

/** Mixes all bits of a 32-bit number into all others (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** A stream of its own for each use of one seed. */
export function streamOf(seed: number, use: number): number {
  return mix(mix(seed) ^ Math.imul(use, 0x9e3779b9));
}

/** The `n`-th number of a stream, from 0 to less than 1. */
export function chance(stream: number, n: number): number {
  // Weyl's sequence through two rounds: neighbours have nothing in common.
  return (mix(mix((stream + Math.imul(n, 0x9e3779b9)) | 0) ^ stream) >>> 0) / 0x100000000;
}
