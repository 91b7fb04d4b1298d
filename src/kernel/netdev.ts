/** Interface indices, without a process or a socket of our own. */
import { E, errno, libc } from './ffi.js';

const indexCall = libc.func('uint if_nametoindex(str)');

/** 0: there is no such interface (now). */
export const interfaceIndex = (name: string): number => indexCall(name);

/** False: `name` is not, or no more, the interface with this index. Who has no descriptor left to ask with (EMFILE) does not know. */
export function isInterface(name: string, index: number): boolean {
  const now = indexCall(name);
  return now === index || (now === 0 && errno() !== E.ENODEV);
}
