/**
 * The one place that binds C functions. koffi passes typed arrays as plain pointers, so a call allocates nothing.
 * koffi has no ssize_t: int64_t is the same on every 64-bit Linux.
 */
import koffi from 'koffi';
import { KernelError } from './errors.js';

export const libc = koffi.load('libc.so.6');

/** The calling thread's errno; meaningful only right after a call returned -1. */
export const errno = (): number => koffi.errno();

export const E = {
  EAGAIN: 11,
  EEXIST: 17,
  EINTR: 4,
  ENODEV: 19,
  ENOENT: 2,
  ENFILE: 23,
  EMFILE: 24,
  ENOTCONN: 107,
  ECONNRESET: 104,
  EPIPE: 32,
  E2BIG: 7,
} as const;

/** Throws unless the call succeeded. */
export function check(result: number, syscall: string, what = ''): number {
  if (result < 0) throw new KernelError(syscall, errno(), what);
  return result;
}

const mmapCall = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)');

/** Maps `length` bytes of a descriptor, shared and writable. The mapping lives as long as the process. */
export function mmapShared(fd: number, length: number): ArrayBuffer {
  const address = mmapCall(null, length, 3, 1, fd, 0);
  if (koffi.address(address) === 0xffffffffffffffffn) throw new KernelError('mmap', errno());
  return koffi.view(address, length);
}

/** Memory of our own that never moves, zeroed, and committed page by page as it is touched. */
export function mmapPrivate(length: number): { buffer: ArrayBuffer; address: number } {
  const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;
  const pointer = mmapCall(null, length, 3, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
  const address = koffi.address(pointer);
  if (address === 0xffffffffffffffffn) throw new KernelError('mmap', errno(), `${length} bytes`);
  return { buffer: koffi.view(pointer, length), address: Number(address) };
}
