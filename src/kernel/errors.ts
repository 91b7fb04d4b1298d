import { constants } from 'node:os';

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** The kernel's name of an errno value: 13 is `EACCES`. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

/** A system call that failed: which, on what, and why. */
export class KernelError extends Error {
  readonly code: string;
  constructor(
    readonly syscall: string,
    readonly errno: number,
    what = '',
  ) {
    super(`${syscall}${what ? ` (${what})` : ''}: ${errnoName(errno)}`);
    this.name = 'KernelError';
    this.code = errnoName(errno);
  }
}
