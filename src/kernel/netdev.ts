/** Interface indices, without a process or a socket of our own. */
import { libc } from './ffi.js';

const indexCall = libc.func('uint if_nametoindex(str)');

/** 0: there is no such interface (now). */
export const interfaceIndex = (name: string): number => indexCall(name);
