/** eventfd(2): wakes a thread that waits in epoll. */
import { check, libc } from './ffi.js';
import { read, write } from './socket.js';

const eventfdCall = libc.func('int eventfd(uint, int)');
const one = new Uint8Array(new BigUint64Array([1n]).buffer);
const sink = new Uint8Array(8);

export const eventfd = (): number => check(eventfdCall(0, 0o2004000), 'eventfd');
export const ring = (fd: number): void => {
  write(fd, one, 8);
};
export const silence = (fd: number): void => {
  read(fd, sink, 8);
};
