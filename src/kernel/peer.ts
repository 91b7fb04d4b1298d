/** Who is at the other end of a Unix socket: SO_PEERCRED (unix(7)). */
import { check, libc } from './ffi.js';
import { SOL_SOCKET } from './socket.js';

const SO_PEERCRED = 17;
const getsockoptCall = libc.func('int getsockopt(int, int, int, void *, void *)');

/** As it was when the other end connected, or began to listen. The process id is one of this process's own namespace; 0: that
 *  namespace does not know it. */
export function peerOf(fd: number): { pid: number; uid: number } {
  const words = new Int32Array(3);
  check(
    getsockoptCall(fd, SOL_SOCKET, SO_PEERCRED, new Uint8Array(words.buffer), Uint32Array.of(12)),
    'getsockopt',
    'SO_PEERCRED',
  );
  return { pid: words[0] as number, uid: words[1] as number };
}
