/** What a segment made by hand may say, and what is done to it that `buildTcpSegment` has no words for. */
import { putU16 } from '../wire/bytes.js';
import { internetChecksum, tcpChecksum } from '../wire/checksum.js';
import { addressOf, type IpHeader, parseIp } from '../wire/ip.js';
import type { SegmentOptions } from '../wire/segment.js';
import { type TcpHeader, tcpFlags } from '../wire/tcp.js';

/** As it came. */
export interface RawSegment extends TcpHeader {
  payload: Uint8Array;
  ip: IpHeader;
  /** The whole packet. */
  packet: Uint8Array;
}

export interface RawSend {
  /** Relative to this end's initial sequence number; default: the next. */
  seq?: number;
  /** Relative to the other's; default: all that has come. */
  ack?: number;
  /** So many bytes of this end's stream. */
  length?: number;
  /** In place of bytes of the stream. */
  payload?: Uint8Array;
  /** Of another stream: bytes that are not what this end sends here. */
  seed?: number;
  window?: number;
  ttl?: number;
  tos?: number;
  flowLabel?: number;
  options?: SegmentOptions;
  /** Further TCP options, byte by byte; padded with no-operations to a multiple of 4. */
  optionBytes?: number[];
  /** Of the urgent byte's end, relative to `seq`; needs the flag U. */
  urgentPointer?: number;
  /** Sends a wrong TCP checksum. */
  badChecksum?: boolean;
  /** Bytes of another stream than this end's: what must never arrive. */
  wrongBytes?: boolean;
  /** It is meant for nobody: what this end sends next does not count it. */
  aside?: boolean;
  /** The TCP checksum is wrong, or that of the IPv4 header. `data`: it is right, but for other data than what is there. */
  spoil?: 'tcp' | 'ip' | 'data';
}

/** Letters as packetdrill writes them: `S`, `S.`, `P.`, `F.`, `R`; also `U`, `E`, `W` (CWR), `A` (AE). */
export function flagsOf(letters: string): number {
  const bits: Record<string, number> = {
    S: tcpFlags.syn,
    '.': tcpFlags.ack,
    P: tcpFlags.psh,
    F: tcpFlags.fin,
    R: tcpFlags.rst,
    U: tcpFlags.urg,
    E: tcpFlags.ece,
    W: tcpFlags.cwr,
    A: tcpFlags.ae,
  };
  return [...letters].reduce((flags, letter) => {
    const bit = bits[letter];
    if (bit === undefined)
      throw new RangeError(`no TCP flag ${letter}; there are ${Object.keys(bits).join(' ')}`);
    return flags | bit;
  }, 0);
}

/** Options byte by byte, the urgent pointer, lengths and checksums. */
export function finish(
  packet: Uint8Array,
  { optionBytes = [], urgentPointer, badChecksum }: RawSend,
): Uint8Array {
  const ip = parseIp(packet);
  if (!ip.ok) throw new Error(`a segment that we built: ${ip.reason}`);
  const tcpAt = ip.headerLength;
  const optionsEnd = tcpAt + ((packet[tcpAt + 12] as number) >> 4) * 4;
  const padding = new Array<number>(-optionBytes.length & 3).fill(1);
  const bytes = Uint8Array.from([
    ...packet.subarray(0, optionsEnd),
    ...padding,
    ...optionBytes,
    ...packet.subarray(optionsEnd),
  ]);
  const added = bytes.length - packet.length;
  // The lower half holds AE.
  bytes[tcpAt + 12] = (((optionsEnd - tcpAt + added) / 4) << 4) | ((packet[tcpAt + 12] as number) & 0xf);
  if (urgentPointer !== undefined) putU16(bytes, tcpAt + 18, urgentPointer);
  if (ip.version === 4) {
    putU16(bytes, 2, bytes.length);
    putU16(bytes, 10, 0);
    putU16(bytes, 10, internetChecksum(bytes, 0, tcpAt));
  } else putU16(bytes, 4, bytes.length - 40);
  putU16(bytes, tcpAt + 16, 0);
  const [src, dst] = [addressOf(bytes, ip.version, ip.src), addressOf(bytes, ip.version, ip.dst)];
  const checksum = tcpChecksum(src, dst, bytes, tcpAt);
  putU16(bytes, tcpAt + 16, badChecksum ? checksum ^ 0x5555 : checksum);
  return bytes;
}

/** Makes wrong what was right. */
export function spoil(packet: Uint8Array, what: 'tcp' | 'ip' | 'data'): void {
  const v4 = (packet[0] as number) >> 4 === 4;
  // IPv6 has no checksum of its own header (RFC 8200): the TCP checksum covers what matters of it.
  const at = what === 'data' ? packet.length - 1 : what === 'ip' && v4 ? 10 : v4 ? 36 : 56;
  packet[at] = (packet[at] as number) ^ 0x55;
}
