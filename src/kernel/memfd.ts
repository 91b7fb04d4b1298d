/** Memory that lives as long as a descriptor of it: memfd_create(2). */
import { check, libc } from './ffi.js';

const MFD_CLOEXEC = 1;

const createCall = libc.func('int memfd_create(str, uint)');
const truncateCall = libc.func('int ftruncate(int, int64_t)');

/** `bytes` of zeroes, which cost memory once they are written to. */
export function memfd(name: string, bytes: number): number {
  const fd = check(createCall(name, MFD_CLOEXEC), 'memfd_create', name);
  check(truncateCall(fd, bytes), 'ftruncate', `${name}, ${bytes} bytes`);
  return fd;
}
