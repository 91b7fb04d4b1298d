/** The key of the kernel program's maps for a packet: the same for both directions. */
import type { SegmentView } from '../wire/view.js';
import { KEY_BYTES } from './layout.js';

/** Fills `key`, the smaller address and port first, and returns it as text, one character for each byte. */
export function fillKey(key: Buffer, view: SegmentView): string {
  const { source, destination, sourcePort, destinationPort } = view;
  // Compared as the kernel program compares: 32-bit words in the machine's byte order.
  let order = 0;
  for (let word = 0; word < 16 && order === 0; word += 4) {
    for (let i = 3; i >= 0 && order === 0; i--) {
      order = (source[word + i] as number) - (destination[word + i] as number);
    }
  }
  const swap = order > 0 || (order === 0 && sourcePort > destinationPort);
  const [first, second] = swap ? [destination, source] : [source, destination];
  // For so few bytes a call of set() takes longer.
  for (let i = 0; i < 16; i++) {
    key[i] = first[i] as number;
    key[16 + i] = second[i] as number;
  }
  key.writeUInt16BE(swap ? destinationPort : sourcePort, 32);
  key.writeUInt16BE(swap ? sourcePort : destinationPort, 34);
  return key.toString('latin1', 0, KEY_BYTES);
}

/** The number of its worker: the kernel program's worker_of(), so that a flow goes to the worker that its packets go to. */
export function workerOf(key: Uint8Array, workers: number): number {
  if (workers <= 1) return 0;
  const view = new DataView(key.buffer, key.byteOffset, KEY_BYTES);
  const ports = (view.getUint16(32, true) << 16) | view.getUint16(34, true);
  const hash = view.getUint32(12, true) ^ view.getUint32(28, true) ^ ports;
  return (Math.imul(hash, 0x9e3779b1) >>> 16) % workers;
}
