/** One captured frame as values: IP header, and the TCP segment or the ICMP error in it. */
import { formatAddress } from '../wire/address.js';
import { u8, u16, u32 } from '../wire/bytes.js';
import { addressOf, type IpHeader, parseIp } from '../wire/ip.js';
import { parseTcp, type TcpHeader, tcpFlags } from '../wire/tcp.js';
import { optionTexts } from './options.js';
import { type Frame, LinkType } from './pcap.js';

export interface Packet {
  /** Microseconds. */
  time: number;
  version: 4 | 6;
  source: string;
  destination: string;
  ttl: number;
  dscp: number;
  ecn: number;
  dontFragment: boolean;
  flowLabel: number;
  /** Payload of each of several segments that were captured as one; 0 or absent: it is one. */
  gsoSize?: number;
  content: Segment | IcmpError | Udp | Other;
}

export interface Segment extends TcpHeader {
  kind: 'tcp';
  payloadLength: number;
  urgentPointer: number;
  /** As tcpdump names them, in the order of the wire. */
  optionTexts: string[];
}

/** An error message, and the segment that it quotes. */
export interface IcmpError {
  kind: 'icmp';
  type: number;
  code: number;
  /** Next-hop MTU, when the message carries one; otherwise 0. */
  mtu: number;
  quoted: { source: string; destination: string; sourcePort: number; destinationPort: number; seq: number };
}

export interface Udp {
  kind: 'udp';
  destinationPort: number;
  payload: Uint8Array;
}

export interface Other {
  kind: 'other';
}

const protocols = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const;

/** Null for what is no IP packet, is broken, or is a later fragment. */
export function packetOf(frame: Frame, linkType: number): Packet | null {
  const bytes = withoutLinkHeader(frame, linkType);
  if (!bytes) return null;
  const ip = parseIp(bytes);
  if (!ip.ok) return null;
  return {
    time: frame.time,
    version: ip.version,
    source: text(bytes, ip, ip.src),
    destination: text(bytes, ip, ip.dst),
    ttl: ip.ttl,
    dscp: ip.tos >> 2,
    ecn: ip.tos & 3,
    // IPv6 routers never fragment (RFC 8200 section 5).
    dontFragment: ip.version === 6 || (u8(bytes, 6) & 0x40) !== 0,
    flowLabel: ip.flowLabel,
    content: contentOf(bytes, ip),
  };
}

/**
 * The IP packet, filled up with zeros to its length on the wire where the capture cut it: the parsers want whole packets,
 * and we look at headers only. Frames of segmentation offload are longer than any MTU, at most 64 KiB plus the header.
 */
function withoutLinkHeader(frame: Frame, linkType: number): Uint8Array | null {
  let at = 0;
  if (linkType === LinkType.ethernet) {
    at = 14;
    const type = u16(frame.bytes, 12);
    if (frame.bytes.length < at || (type !== 0x0800 && type !== 0x86dd)) return null;
  } else if (linkType !== LinkType.raw) return null;
  const rest = frame.bytes.subarray(at);
  const length = Math.min(frame.length - at, 65_535 + 40);
  if (rest.length >= length) return rest;
  const whole = new Uint8Array(length);
  whole.set(rest);
  return whole;
}

function contentOf(bytes: Uint8Array, ip: IpHeader): Packet['content'] {
  const at = ip.headerLength;
  const end = Math.min(ip.totalLength, bytes.length);
  if (ip.fragment) return { kind: 'other' };
  if (ip.protocol === protocols.tcp) {
    const tcp = parseTcp(bytes, at, end);
    if (!tcp.ok) return { kind: 'other' };
    return {
      ...tcp,
      kind: 'tcp',
      payloadLength: end - at - tcp.dataOffset,
      urgentPointer: tcp.flags & tcpFlags.urg ? u16(bytes, at + 18) : 0,
      optionTexts: optionTexts(bytes, at + 20, at + tcp.dataOffset),
    };
  }
  if (ip.protocol === protocols.udp && at + 8 <= end) {
    return { kind: 'udp', destinationPort: u16(bytes, at + 2), payload: bytes.subarray(at + 8, end) };
  }
  if (ip.protocol === (ip.version === 4 ? protocols.icmp : protocols.icmp6))
    return icmpOf(bytes, ip, at, end);
  return { kind: 'other' };
}

/** RFC 792: unreachable, quench, redirect, time exceeded, parameter problem. RFC 4443: types below 128 are errors. */
function icmpOf(bytes: Uint8Array, ip: IpHeader, at: number, end: number): IcmpError | Other {
  const type = u8(bytes, at);
  const code = u8(bytes, at + 1);
  const isError = ip.version === 4 ? [3, 4, 5, 11, 12].includes(type) : type < 128;
  const quote = bytes.subarray(at + 8, end);
  if (!isError || quote.length < (ip.version === 4 ? 28 : 48)) return { kind: 'other' };
  // Only the beginning is quoted (RFC 792: header and 8 bytes), so that the length that it states reaches too far.
  const whole = new Uint8Array(65_535 + 40);
  whole.set(quote);
  const quoted = parseIp(whole);
  if (!quoted.ok || quoted.protocol !== protocols.tcp) return { kind: 'other' };
  const l4 = quoted.headerLength;
  const tooBig = ip.version === 4 ? type === 3 && code === 4 : type === 2;
  return {
    kind: 'icmp',
    type,
    code,
    mtu: tooBig ? (ip.version === 4 ? u16(bytes, at + 6) : u32(bytes, at + 4)) : 0,
    quoted: {
      source: text(whole, quoted, quoted.src),
      destination: text(whole, quoted, quoted.dst),
      sourcePort: u16(whole, l4),
      destinationPort: u16(whole, l4 + 2),
      seq: u32(whole, l4 + 4),
    },
  };
}

function text(bytes: Uint8Array, ip: IpHeader, offset: number): string {
  return formatAddress(addressOf(bytes, ip.version, offset));
}
