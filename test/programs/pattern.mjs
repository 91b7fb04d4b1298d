// The bytes that the programs send: position decides the value, so that a byte lost, doubled or moved is noticed where
// it happens, at the price of a comparison.
const period = 65_521; // A prime: no buffer or segment size divides it.

/** `seed` tells the directions apart. */
export function pattern(seed) {
  // Twice the period, so that every window of one period is a slice.
  const block = Buffer.alloc(2 * period);
  let x = seed * 2_654_435_761 + 1;
  for (let i = 0; i < period; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    block[i] = x >>> 24;
  }
  block.copy(block, period, 0, period);
  return {
    /** At most 65,521 bytes. */
    at: (position, length) => {
      const start = position % period;
      return block.subarray(start, start + Math.min(length, period));
    },
  };
}

/** Checks what arrives. `bad` is the position of the first chunk that was wrong, or -1. */
export class Checker {
  received = 0;
  bad = -1;
  constructor(expected) {
    this.expected = expected;
  }
  add(chunk) {
    for (let done = 0; done < chunk.length; ) {
      const want = this.expected.at(this.received, chunk.length - done);
      if (this.bad < 0 && want.compare(chunk, done, done + want.length) !== 0) this.bad = this.received;
      done += want.length;
      this.received += want.length;
    }
  }
}

/** A number from 0 to below 1 at each call, the same for the same seed. */
export function random(seed) {
  let x = seed | 0;
  return () => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    return x / 2 ** 32;
  };
}

/** Writes `total` bytes, one chunk at a time, each when the kernel has taken the one before. `pace`: chunks of up to `chunk`
 *  bytes, with pauses of up to `gapMs` between them, by chance of `seed`. `pace.rest`: {after, every, ms}: behind the first
 *  `after` bytes, a pause of about `ms` before each `every` bytes. */
export function send(socket, bytes, total, { onAccepted, done, pace } = {}) {
  let position = 0;
  const chance = random(pace?.seed ?? 0);
  let restAt = pace?.rest ? pace.rest.after : Number.POSITIVE_INFINITY;
  const pause = () => {
    // No rest behind the last byte, where one falls due just there.
    if (position < restAt || position >= total) return chance() * pace.gapMs;
    restAt = position + pace.rest.every;
    return pace.rest.ms * (0.9 + chance() / 5);
  };
  const next = () => {
    if (position >= total || socket.destroyed) {
      done?.();
      return;
    }
    const most = pace ? 1 + Math.floor(chance() * pace.chunk) : 65_521;
    const chunk = bytes.at(position, Math.min(most, total - position));
    socket.write(chunk, (error) => {
      if (error) return;
      position += chunk.length;
      onAccepted?.(position);
      if (pace) setTimeout(next, pause());
      else next();
    });
  };
  next();
}

/** What the server says last: a JSON object in exactly so many bytes. */
export const trailerBytes = 80;
export const clientSeed = 1;
export const serverSeed = 2;

/** Closes with a reset and nothing before it. `resetAndDestroy()` would send a FIN first. */
export function reset(socket) {
  socket.resetAndClosing = true;
  socket.destroy();
}
