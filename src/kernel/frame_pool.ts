/** Frames in memory that never moves, and batches of them as recvmmsg(2) and sendmmsg(2) want them. */
import { mmapPrivate } from './ffi.js';

/** Offsets in struct mmsghdr and struct iovec, the same on every 64-bit Linux. */
const MESSAGE = 64;
const MESSAGE_IOV = 16;
const MESSAGE_IOVLEN = 24;
const MESSAGE_FLAGS = 48;
const MESSAGE_LENGTH = 56;
const IOVEC = 16;
const MSG_TRUNC = 0x20;
const WORD = 4;

/** `count` frames of at most `frameBytes`, named by number. Memory is committed as frames are first used. */
export class FramePool {
  readonly bytes: Uint8Array;
  readonly lengths: Uint32Array;
  readonly #references: Uint8Array;
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #base: number;

  constructor(
    readonly count: number,
    readonly frameBytes: number,
  ) {
    const { buffer, address } = mmapPrivate(count * frameBytes);
    this.bytes = new Uint8Array(buffer);
    this.#base = address;
    this.lengths = new Uint32Array(count);
    this.#references = new Uint8Array(count);
    // A stack: the frame given back last is taken first, so that only as much memory is touched as was needed at once.
    this.#free = Int32Array.from({ length: count }, (_, i) => count - 1 - i);
    this.#freeCount = count;
  }

  get free(): number {
    return this.#freeCount;
  }

  /** A frame to write to, or -1: all are in use. */
  take(): number {
    return this.#freeCount === 0 ? -1 : (this.#free[--this.#freeCount] as number);
  }

  /** So many `release` will follow; 0 needs none and frees nothing. */
  retain(frame: number, references: number): void {
    this.#references[frame] = references;
  }

  release(frame: number): void {
    const left = (this.#references[frame] as number) - 1;
    this.#references[frame] = left;
    if (left === 0) this.#free[this.#freeCount++] = frame;
  }

  offset(frame: number): number {
    return frame * this.frameBytes;
  }

  address(frame: number): number {
    return this.#base + frame * this.frameBytes;
  }
}

/** An array of struct mmsghdr, each with one struct iovec. */
export class FrameBatch {
  readonly messages: Uint8Array;
  /** Which frame each message points to. */
  readonly frames: Int32Array;
  readonly #words: Uint32Array;

  constructor(
    readonly pool: FramePool,
    readonly size: number,
  ) {
    const { buffer, address } = mmapPrivate(size * (MESSAGE + IOVEC));
    this.messages = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.frames = new Int32Array(size).fill(-1);
    for (let i = 0; i < size; i++) {
      this.#setPointer(i * MESSAGE + MESSAGE_IOV, address + this.#iovec(i));
      this.#words[(i * MESSAGE + MESSAGE_IOVLEN) / WORD] = 1;
    }
  }

  /** Points message `i` to a frame, of which `length` bytes are to be sent, or may be received. */
  put(i: number, frame: number, length: number): void {
    this.frames[i] = frame;
    this.#setPointer(this.#iovec(i), this.pool.address(frame));
    this.#words[(this.#iovec(i) + 8) / WORD] = length;
  }

  /** The messages without the first ones. Makes a new view: for the rare case that a batch was not taken whole. */
  messagesFrom(first: number): Uint8Array {
    return this.messages.subarray(first * MESSAGE);
  }

  /** How many bytes message `i` received; -1 if the frame was longer than there was room. */
  received(i: number): number {
    if ((this.#words[(i * MESSAGE + MESSAGE_FLAGS) / WORD] as number) & MSG_TRUNC) return -1;
    return this.#words[(i * MESSAGE + MESSAGE_LENGTH) / WORD] as number;
  }

  #iovec(i: number): number {
    return this.size * MESSAGE + i * IOVEC;
  }

  /** By halves: a BigInt for each frame would be garbage. Addresses of user space are below 2^53. */
  #setPointer(offset: number, address: number): void {
    this.#words[offset / WORD] = address % 0x100000000;
    this.#words[offset / WORD + 1] = Math.floor(address / 0x100000000);
  }
}
