/** Which of the process's descriptors a keeper must not hold: a reader of our output would never see its end. */
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { close, isLocal, replace } from '../../kernel/socket.js';

/**
 * Of the calling thread's own table: output goes nowhere, and Unix sockets are closed, which are the main thread's lock of the
 * namespace and its control socket. All that the runtime itself uses from any thread is left.
 */
export function dropUnshared(): void {
  const nowhere = openSync('/dev/null', 'r+');
  for (const fd of [0, 1, 2]) replace(fd, nowhere);
  closeSync(nowhere);
  for (const name of readdirSync('/proc/thread-self/fd')) {
    const fd = Number(name);
    if (fd > 2 && isSocket(name) && isLocal(fd)) close(fd);
  }
}

function isSocket(name: string): boolean {
  try {
    return readlinkSync(`/proc/thread-self/fd/${name}`).startsWith('socket:');
  } catch {
    return false;
  }
}
