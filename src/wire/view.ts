/**
 * A view over one IP packet with a TCP segment in it, reused from packet to packet so that reading one makes no garbage.
 * It trusts nothing: `parse` is false for whatever is cut short, fragmented or not TCP.
 */
import { tcpChecksum } from './checksum.js';

export const Flag = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 } as const;

const V4_MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

export class SegmentView {
  family: 4 | 6 = 6;
  /** 16 bytes each, IPv4 v4-mapped. */
  readonly source = new Uint8Array(16);
  readonly destination = new Uint8Array(16);
  sourcePort = 0;
  destinationPort = 0;
  sequence = 0;
  acknowledgement = 0;
  flags = 0;
  ttl = 0;
  tos = 0;
  /** Where the TCP header lies in the packet. */
  headerOffset = 0;
  /** Where the payload lies in the packet. */
  payloadOffset = 0;
  payloadLength = 0;

  parse(packet: Uint8Array, length: number): boolean {
    if (length < 40) return false;
    const version = (packet[0] as number) >> 4;
    let at: number;
    let end: number;
    let protocol: number;
    if (version === 4) {
      at = ((packet[0] as number) & 15) * 4;
      end = u16(packet, 2) || length;
      if (at < 20 || (u16(packet, 6) & 0x3fff) !== 0) return false;
      if (this.family !== 4) this.#mapped();
      this.tos = packet[1] as number;
      this.ttl = packet[8] as number;
      protocol = packet[9] as number;
      for (let i = 0; i < 4; i++) {
        this.source[12 + i] = packet[12 + i] as number;
        this.destination[12 + i] = packet[16 + i] as number;
      }
    } else if (version === 6) {
      at = 40;
      end = u16(packet, 4) ? 40 + u16(packet, 4) : length;
      this.family = 6;
      this.tos = (u16(packet, 0) >> 4) & 0xff;
      this.ttl = packet[7] as number;
      protocol = packet[6] as number;
      for (let i = 0; i < 16; i++) {
        this.source[i] = packet[8 + i] as number;
        this.destination[i] = packet[24 + i] as number;
      }
      // Hop-by-hop, routing, destination options (RFC 8200 section 4.1).
      for (let i = 0; i < 6 && (protocol === 0 || protocol === 43 || protocol === 60); i++) {
        if (at + 8 > length) return false;
        protocol = packet[at] as number;
        at += ((packet[at + 1] as number) + 1) * 8;
      }
    } else return false;
    if (protocol !== 6 || end > length || at + 20 > end) return false;
    const header = ((packet[at + 12] as number) >> 4) * 4;
    if (header < 20 || at + header > end) return false;
    this.headerOffset = at;
    this.sourcePort = u16(packet, at);
    this.destinationPort = u16(packet, at + 2);
    this.sequence = u32(packet, at + 4);
    this.acknowledgement = u32(packet, at + 8);
    this.flags = packet[at + 13] as number;
    this.payloadOffset = at + header;
    this.payloadLength = end - at - header;
    return true;
  }

  /** The addresses are to be v4-mapped from now on, which they stay until the next packet of IPv6. */
  #mapped(): void {
    this.family = 4;
    this.source.set(V4_MAPPED);
    this.destination.set(V4_MAPPED);
  }

  /** Whether the TCP checksum of the packet that was parsed is right. */
  checksumIsRight(packet: Uint8Array): boolean {
    const end = this.payloadOffset + this.payloadLength;
    return tcpChecksum(this.source, this.destination, packet, this.headerOffset, end) === 0;
  }
}

const u16 = (b: Uint8Array, at: number): number => ((b[at] as number) << 8) | (b[at + 1] as number);
const u32 = (b: Uint8Array, at: number): number => (u16(b, at) * 65536 + u16(b, at + 2)) >>> 0;
