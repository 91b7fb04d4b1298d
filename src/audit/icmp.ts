/** ICMP errors by hand: what a router, or whoever pretends to be one, says about a segment. */
import { isMapped } from '../wire/address.js';
import { putU16, putU32 } from '../wire/bytes.js';
import { foldChecksum, internetChecksum, pseudoHeaderSum, sum16 } from '../wire/checksum.js';

export interface IcmpInput {
  /** 16 bytes, IPv4 mapped. */
  from: Uint8Array;
  to: Uint8Array;
  type: number;
  code: number;
  /** The second word: the MTU of "fragmentation needed" and of "packet too big". */
  mtu?: number;
  /** The IP packet that it is about. */
  about: Uint8Array;
}

/** What is quoted at most: the message fits into any path (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4). */
const quoted = { 4: 548, 6: 1232 } as const;

export function buildIcmpError({ from, to, type, code, mtu = 0, about }: IcmpInput): Uint8Array {
  const v4 = isMapped(from);
  const quote = about.subarray(0, v4 ? quoted[4] : quoted[6]);
  const at = v4 ? 20 : 40;
  const length = 8 + quote.length;
  const packet = new Uint8Array(at + length);
  packet[at] = type;
  packet[at + 1] = code;
  putU32(packet, at + 4, mtu);
  packet.set(quote, at + 8);
  if (v4) {
    packet[0] = 0x45;
    putU16(packet, 2, packet.length);
    packet[8] = 64;
    packet[9] = 1;
    packet.set(from.subarray(12), 12);
    packet.set(to.subarray(12), 16);
    putU16(packet, 10, internetChecksum(packet, 0, 20));
    putU16(packet, at + 2, internetChecksum(packet, at, packet.length));
    return packet;
  }
  putU32(packet, 0, 0x60000000);
  packet.set(from, 8);
  packet.set(to, 24);
  // RFC 4443 section 2.3.
  const sum = sum16(packet, at, packet.length, pseudoHeaderSum(from, to, 58, length));
  putU16(packet, at + 2, foldChecksum(sum));
  putU16(packet, 4, length);
  packet[6] = 58;
  packet[7] = 64;
  return packet;
}
