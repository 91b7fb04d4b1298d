import { isMapped } from './address.js';
import { putU16, putU32 } from './bytes.js';
import { internetChecksum, tcpChecksum } from './checksum.js';

export interface SegmentInput {
  /** 16 bytes, IPv4 mapped; both of one family. */
  src: Uint8Array;
  dst: Uint8Array;
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack: number;
  flags: number;
  /** As it goes onto the wire, scaled down already. */
  window: number;
  options?: SegmentOptions | undefined;
  payload?: Uint8Array | undefined;
  /** TTL or hop limit. */
  ttl: number;
  tos: number;
  /** IPv6 only. */
  flowLabel?: number | undefined;
}

export interface SegmentOptions {
  mss?: number | undefined;
  windowScale?: number | undefined;
  sackPermitted?: boolean | undefined;
  /** Both or neither. */
  tsval?: number | undefined;
  tsecr?: number | undefined;
  /** Bytes of more options, right behind those above. */
  more?: readonly number[] | undefined;
}

/** A whole IP packet with one TCP segment, checksums filled in. */
export function buildTcpSegment(input: SegmentInput): Uint8Array {
  const v4 = isMapped(input.src);

  if (v4 !== isMapped(input.dst))
    throw new RangeError('source and destination are of different address families');
  const options = encodeOptions(input.options ?? {});
  const payload = input.payload ?? new Uint8Array(0);
  const ipLength = v4 ? 20 : 40;
  const tcpLength = 20 + options.length + payload.length;

  if (tcpLength + (v4 ? ipLength : 0) > 0xffff) {
    throw new RangeError(`a segment of ${tcpLength} bytes does not fit the length field of an IP header`);
  }
  const packet = new Uint8Array(ipLength + tcpLength);

  if (v4) putIpv4(packet, input);
  else putIpv6(packet, input, tcpLength);
  putTcp(packet, ipLength, input, options, payload);
  putU16(packet, ipLength + 16, tcpChecksum(input.src, input.dst, packet, ipLength));
  return packet;
}

function putIpv4(packet: Uint8Array, { src, dst, tos, ttl }: SegmentInput): void {
  packet[0] = 0x45;
  packet[1] = tos;
  putU16(packet, 2, packet.length);
  // Don't fragment, with identification 0: an atomic datagram's identification means nothing (RFC 6864 section 4.1).
  putU16(packet, 6, 0x4000);
  packet[8] = ttl;
  packet[9] = 6;
  packet.set(src.subarray(12, 16), 12);
  packet.set(dst.subarray(12, 16), 16);
  putU16(packet, 10, internetChecksum(packet, 0, 20));
}

function putIpv6(
  packet: Uint8Array,
  { src, dst, tos, ttl, flowLabel = 0 }: SegmentInput,
  length: number,
): void {
  putU32(packet, 0, 0x60000000 | (tos << 20) | (flowLabel & 0xfffff));
  putU16(packet, 4, length);
  packet[6] = 6;
  packet[7] = ttl;
  packet.set(src.subarray(0, 16), 8);
  packet.set(dst.subarray(0, 16), 24);
}

function putTcp(
  packet: Uint8Array,
  at: number,
  input: SegmentInput,
  options: Uint8Array,
  payload: Uint8Array,
): void {
  putU16(packet, at, input.sourcePort);
  putU16(packet, at + 2, input.destinationPort);
  putU32(packet, at + 4, input.seq);
  putU32(packet, at + 8, input.ack);
  packet[at + 12] = (((20 + options.length) / 4) << 4) | ((input.flags >> 8) & 1);
  packet[at + 13] = input.flags;
  putU16(packet, at + 14, input.window);
  packet.set(options, at + 20);
  packet.set(payload, at + 20 + options.length);
}

/** Padded with no-operations to a multiple of 4, the padding in front as Linux does for timestamps alone. */
function encodeOptions({ mss, windowScale, sackPermitted, tsval, tsecr, more }: SegmentOptions): Uint8Array {
  const bytes: number[] = [];
  const u32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];

  if (mss !== undefined) bytes.push(2, 4, (mss >>> 8) & 255, mss & 255);
  if (windowScale !== undefined) bytes.push(3, 3, windowScale);
  if (sackPermitted) bytes.push(4, 2);
  if (tsval !== undefined || tsecr !== undefined) bytes.push(8, 10, ...u32(tsval ?? 0), ...u32(tsecr ?? 0));
  if (more) bytes.push(...more);
  return Uint8Array.from([...Array(-bytes.length & 3).fill(1), ...bytes]);
}
