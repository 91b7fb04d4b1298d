/** Which of the process's descriptors a keeper must not hold: a reader of our output would never see its end. */
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { close, replace } from '../../kernel/socket.js';

/**
 * Of the calling thread's own table: output goes nowhere, and sockets are closed, which are the main thread's: the lock of the
 * namespace, the control socket, and those of the user's code, which would not end when it closes them. What the runtime
 * itself uses from any thread is none, and is left.
 */
export function dropUnshared(): void {
  const nowhere = openSync('/dev/null', 'r+');
  for (const fd of [0, 1, 2]) replace(fd, nowhere);
  closeSync(nowhere);
  for (const name of readdirSync('/proc/thread-self/fd')) {
    const fd = Number(name);
    if (fd > 2 && isSocket(name)) close(fd);
  }
}

function isSocket(name: string): boolean {
  try {
    return readlinkSync(`/proc/thread-self/fd/${name}`).startsWith('socket:');
  } catch {
    return false;
  }
}
