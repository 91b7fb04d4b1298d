/** splice(2) through pipes that are borrowed only while bytes are in transit: six descriptors a flow otherwise. */
import { errno, libc } from './ffi.js';
import { close } from './socket.js';

const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
const SPLICE_F_MORE = 4;
const FIONREAD = 0x541b;
const F_SETPIPE_SZ = 1031;
/** Bytes that one direction of one flow can have in the middle, beyond the two sockets' own buffers. */
export const PIPE_BYTES = 1 << 18;
const KEPT = 64;

const pipeCall = libc.func('int pipe2(void *, int)');
const spliceCall = libc.func('int64_t splice(int, void *, int, void *, size_t, uint)');
const ioctlCall = libc.func('int ioctl(int, ulong, void *)');
const fcntlCall = libc.func('int fcntl(int, int, int)');

export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

const ends = new Int32Array(2);
const endBytes = new Uint8Array(ends.buffer);

export class PipePool {
  readonly #free: Pipe[] = [];

  /** Null when there are no descriptors left. */
  take(): Pipe | null {
    return this.#free.pop() ?? this.#make();
  }

  /** Makes so many free ones. False: there are no descriptors for them. */
  reserve(count: number): boolean {
    while (this.#free.length < count) {
      const pipe = this.#make();
      if (!pipe) return false;
      this.#free.push(pipe);
    }
    return true;
  }

  #make(): Pipe | null {
    if (pipeCall(endBytes, 0o2004000) < 0) return null;
    const made = { readEnd: ends[0] as number, writeEnd: ends[1] as number };
    // May be refused above the user's pipe quota (pipe(7)); 64 KiB then serve.
    fcntlCall(made.writeEnd, F_SETPIPE_SZ, PIPE_BYTES);
    return made;
  }

  /** The pipe must be empty. */
  giveBack(pipe: Pipe): void {
    if (this.#free.length < KEPT) this.#free.push(pipe);
    else this.destroy(pipe);
  }

  close(): void {
    for (const pipe of this.#free.splice(0)) this.destroy(pipe);
  }

  /** For a pipe that still holds bytes of a flow that is gone. */
  destroy(pipe: Pipe): void {
    close(pipe.readEnd);
    close(pipe.writeEnd);
  }
}

/** Moves up to `length` bytes; returns how many, 0 at the end of the stream, or -errno. `more`: as MSG_MORE of send(2). */
export function splice(from: number, to: number, length: number, more = false): number {
  const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0);
  const n = spliceCall(from, null, to, null, length, flags);
  return n < 0 ? -errno() : n;
}

/** Bytes in a pipe (pipe(7), FIONREAD). */
export const pipeBytes = (readEnd: number): number =>
  ioctlCall(readEnd, FIONREAD, endBytes) < 0 ? 0 : (ends[0] as number);
