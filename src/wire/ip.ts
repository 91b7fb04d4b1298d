import { mapIpv4 } from './address.js';
import { type Parsed, u8, u16, u32, type WireError, wireError } from './bytes.js';

/** Where things are in an IP packet. `src` and `dst` are offsets, 4 bytes long in version 4 and 16 in version 6. */
export interface IpHeader {
  version: 4 | 6;
  /** Bytes before the transport header: with IPv4 options, with IPv6 extension headers. */
  headerLength: number;
  /** Protocol of what follows `headerLength`. */
  protocol: number;
  /** Bytes of the whole packet, as its header says. */
  totalLength: number;
  ttl: number;
  /** Type of service or traffic class, ECN bits included. */
  tos: number;
  /** 0 in IPv4. */
  flowLabel: number;
  src: number;
  dst: number;
  /** True for every fragment of several, the first included. Only the first one has a transport header. */
  fragment: boolean;
}

const hopByHop = 0;
const routing = 43;
const fragmentHeader = 44;
const authentication = 51;
const destinationOptions = 60;

/** Reads the IP header at the start of `bytes`, of which `length` count. A packet that is cut short is an error. */
export function parseIp(bytes: Uint8Array, length = bytes.length): Parsed<IpHeader> {
  const end = Math.min(length, bytes.length);

  if (end < 1) return wireError(0, 'version', 'the packet is empty');
  const version = u8(bytes, 0) >> 4;

  if (version === 4) return parseIpv4(bytes, end);
  if (version === 6) return parseIpv6(bytes, end);
  return wireError(0, 'version', `found ${version}, expected 4 or 6`);
}

/** The 16 bytes of an address of this packet: `addressOf(bytes, ip.version, ip.src)`. */
export function addressOf(bytes: Uint8Array, version: 4 | 6, offset: number): Uint8Array {
  return version === 4 ? mapIpv4(bytes, offset) : bytes.slice(offset, offset + 16);
}

function parseIpv4(bytes: Uint8Array, end: number): Parsed<IpHeader> {
  if (end < 20) return wireError(0, 'header', `${end} bytes are too few for an IPv4 header of 20`);
  const headerLength = (u8(bytes, 0) & 15) * 4;
  const totalLength = u16(bytes, 2);

  if (headerLength < 20) return wireError(0, 'header length', `found ${headerLength}, expected 20 or more`);
  const wrong = checkTotal(2, totalLength, headerLength, end);

  if (wrong) return wrong;
  return {
    ok: true,
    version: 4,
    headerLength,
    protocol: u8(bytes, 9),
    totalLength,
    ttl: u8(bytes, 8),
    tos: u8(bytes, 1),
    flowLabel: 0,
    src: 12,
    dst: 16,
    // More fragments, or an offset: RFC 791 section 3.1.
    fragment: (u16(bytes, 6) & 0x3fff) !== 0,
  };
}

function parseIpv6(bytes: Uint8Array, end: number): Parsed<IpHeader> {
  if (end < 40) return wireError(0, 'header', `${end} bytes are too few for an IPv6 header of 40`);
  const totalLength = 40 + u16(bytes, 4);
  const wrong = checkTotal(4, totalLength, 40, end);

  if (wrong) return wrong;
  let protocol = u8(bytes, 6);
  let at = 40;
  let fragment = false;

  while (isExtension(protocol)) {
    if (at + 8 > totalLength) {
      return wireError(
        at,
        'extension header',
        `8 bytes of header ${protocol} reach past the packet's ${totalLength}`,
      );
    }
    const next = u8(bytes, at);

    if (protocol === fragmentHeader) {
      const field = u16(bytes, at + 2);

      // An atomic fragment (RFC 6946) is a whole packet, header or not.
      if ((field & 0xfff9) !== 0) fragment = true;
      at += 8;
      protocol = next;
      // What follows a later fragment's header is the middle of something.
      if ((field & 0xfff8) !== 0) break;
    } else {
      // RFC 4302 section 2.2: the authentication header counts in units of 4 bytes, less 2.
      at += protocol === authentication ? (u8(bytes, at + 1) + 2) * 4 : (u8(bytes, at + 1) + 1) * 8;
      protocol = next;
    }
    if (at > totalLength) {
      return wireError(at, 'extension header', `its length reaches past the packet's ${totalLength} bytes`);
    }
  }
  return {
    ok: true,
    version: 6,
    headerLength: at,
    protocol,
    totalLength,
    ttl: u8(bytes, 7),
    tos: (u16(bytes, 0) >> 4) & 0xff,
    flowLabel: u32(bytes, 0) & 0xfffff,
    src: 8,
    dst: 24,
    fragment,
  };
}

function checkTotal(offset: number, total: number, headerLength: number, end: number): WireError | null {
  if (total < headerLength) {
    return wireError(offset, 'total length', `found ${total}, less than the header's ${headerLength} bytes`);
  }
  if (total > end) return wireError(offset, 'total length', `found ${total}, but only ${end} bytes are here`);
  return null;
}

function isExtension(protocol: number): boolean {
  return (
    protocol === hopByHop ||
    protocol === routing ||
    protocol === fragmentHeader ||
    protocol === authentication ||
    protocol === destinationOptions
  );
}
