/**
 * A holder: a process that shares the table of descriptors of the thread that makes it (clone(2), CLONE_FILES) and does
 * nothing else. When that thread's process is killed, the kernel closes nothing, since the holder still has the table
 * (put_files_struct()). Whoever comes next copies what it wants out of it (pidfd.ts).
 */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { KernelError } from './errors.js';
import { check, errno, libc } from './ffi.js';

const CLONE_FILES = 0x400;
const SIG_SETMASK = 2;
const WALL = 0x40000000;
const WNOHANG = 1;
const PR_SET_NAME = 15;
const PR_GET_NAME = 16;
const MADV_DONTFORK = 10;
const MADV_DOFORK = 11;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const STACK = 65536;
/** Smaller mappings are left: among them is what libc itself needs. */
const LEAST_REGION = 262_144n;

const unshareCall = libc.func('int unshare(int)');
const cloneCall = libc.func('int clone(void *, void *, int, void *)');
const symbolCall = libc.func('void *dlsym(void *, str)');
const errnoPlace = libc.func('void *__errno_location()');
const mmapCall = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)');
const munmapCall = libc.func('int munmap(void *, size_t)');
const madviseCall = libc.func('int madvise(uint64_t, size_t, int)');
const fillCall = libc.func('int sigfillset(void *)');
const maskCall = libc.func('int pthread_sigmask(int, void *, void *)');
const prctlCall = libc.func('int prctl(int, void *, ulong, ulong, ulong)');
const setpgidCall = libc.func('int setpgid(int, int)');
const waitCall = libc.func('int waitpid(int, void *, int)');

/** From now on the calling thread has a table of descriptors of its own: a copy of what the process has. */
export function unshareFiles(): void {
  check(unshareCall(CLONE_FILES), 'unshare', 'CLONE_FILES');
}

/** Private memory that the holder does not need: all that is large, but for where this thread's own variables lie. */
function largeRegions(spare: readonly bigint[]): [start: bigint, length: number][] {
  const found: [bigint, number][] = [];
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) r..p \S+ \S+ 0\b/.exec(line);
    if (!match) continue;
    const [start, end] = [BigInt(`0x${match[1]}`), BigInt(`0x${match[2]}`)];
    if (end - start < LEAST_REGION || spare.some((at) => at >= start && at < end)) continue;
    found.push([start, Number(end - start)]);
  }
  return found;
}

/**
 * Makes a holder of the calling thread's descriptors and returns its process id. It runs pause(3) of libc on a small stack
 * and never enters JavaScript, whose heap it does not even get (MADV_DONTFORK): about a megabyte. It hears no signal but
 * SIGKILL; its handlers would be ours, and write into our pipes.
 */
export function startHolder(name: string): number {
  const stack = mmapCall(null, STACK, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  const base = koffi.address(stack);
  if (base === 0xffffffffffffffffn) throw new KernelError('mmap', errno(), 'the stack of a holder');
  const [all, before] = [new Uint8Array(128), new Uint8Array(128)];
  const ownName = new Uint8Array(16);
  fillCall(all);
  prctlCall(PR_GET_NAME, ownName, 0, 0, 0);
  const regions = largeRegions([base, koffi.address(errnoPlace())]);
  for (const [start, length] of regions) madviseCall(start, length, MADV_DONTFORK);
  maskCall(SIG_SETMASK, all, before);
  prctlCall(PR_SET_NAME, Buffer.from(`${name}\0`), 0, 0, 0);
  // No signal at its end, which node would take for that of a child of its own.
  const pid = cloneCall(symbolCall(null, 'pause'), base + BigInt(STACK - 64), CLONE_FILES, null);
  const error = pid < 0 ? errno() : 0;
  prctlCall(PR_SET_NAME, ownName, 0, 0, 0);
  maskCall(SIG_SETMASK, before, null);
  for (const [start, length] of regions) madviseCall(start, length, MADV_DOFORK);
  munmapCall(stack, STACK);
  if (error !== 0) throw new KernelError('clone', error, 'CLONE_FILES');
  // A shell that ends its job with SIGKILL must not end the holder with it.
  setpgidCall(pid, pid);
  return pid;
}

/** Takes a holder of our own off the list of processes if it has ended. */
export const reapHolder = (pid: number): boolean => waitCall(pid, null, WALL | WNOHANG) === pid;
