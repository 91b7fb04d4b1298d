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
