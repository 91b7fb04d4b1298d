/**
 * A stream of bytes that is known by its seed: byte n is the same for whoever asks. Its period is a prime, so that a piece
 * that was lost, repeated or moved by any power of two shows.
 */
const period = 65_521;

const streams = new Map<number, Uint8Array>();

/** Three periods, so that any piece of 64 KiB is one slice. */
function stream(seed: number): Uint8Array {
  let bytes = streams.get(seed);
  if (!bytes) {
    bytes = new Uint8Array(period * 3);
    let state = (seed * 2_654_435_761 + 1) >>> 0;
    for (let i = 0; i < period; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      bytes[i] = state >>> 24;
    }
    bytes.copyWithin(period, 0, period);
    bytes.copyWithin(2 * period, 0, period);
    streams.set(seed, bytes);
  }
  return bytes;
}

/** At most 64 KiB of a stream. */
export function patternBytes(seed: number, offset: number, count: number): Uint8Array {
  const at = offset % period;
  return stream(seed).subarray(at, at + count);
}

/** Position in the stream of the first byte that is wrong, or -1. */
export function firstWrong(seed: number, offset: number, bytes: Uint8Array): number {
  for (let done = 0; done < bytes.length; done += 65_536) {
    const piece = bytes.subarray(done, done + 65_536);
    const expected = patternBytes(seed, offset + done, piece.length);
    if (Buffer.compare(piece, expected) === 0) continue;
    for (let i = 0; i < piece.length; i++) if (piece[i] !== expected[i]) return offset + done + i;
  }
  return -1;
}
