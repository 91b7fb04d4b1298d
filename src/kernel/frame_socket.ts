/** Whole frames one by one, in and out of one interface, for ends whose kernel must not answer (packet(7)). */
import { KernelError } from './errors.js';
import { interfaceIndex } from './netdev.js';
import { interfaceSocket } from './packet_socket.js';
import { recv, send, wouldBlock } from './socket.js';

const RECEIVE_BUFFER = 1 << 24;

/** A socket that hears what comes in by `device`, not what goes out. */
export const frameSocket = (device: string): number =>
  interfaceSocket(interfaceIndex(device), RECEIVE_BUFFER);

export function sendFrame(fd: number, frame: Uint8Array): void {
  const n = send(fd, frame, frame.length);
  if (n < 0) throw new KernelError('send', -n, `a frame of ${frame.length} bytes`);
}

/** The length of the next frame, or null when none waits. */
export function receiveFrame(fd: number, buffer: Uint8Array): number | null {
  const n = recv(fd, buffer, buffer.length);
  if (n >= 0) return n;
  if (wouldBlock(n)) return null;
  throw new KernelError('recv', -n, 'AF_PACKET');
}
