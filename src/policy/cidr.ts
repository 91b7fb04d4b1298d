import ipaddr from 'ipaddr.js';
import { quote, UsageError } from './errors.js';

/** A range of addresses as the kernel program compares it: IPv4 is written as ::ffff:a.b.c.d, its prefix + 96. */
export interface Cidr {
  bytes: Uint8Array;
  /** Leading bits that count, 0 to 128. */
  prefix: number;
}

const mappedBits = 96;
const mappedNetwork = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0);
const hint = 'Write an address or a range, for example 198.51.100.0/24, 192.0.2.7 or 2001:db8::/32.';

/** A bare address means that address alone. Bits behind the prefix are a mistake, not quietly dropped: 10.0.0.1/8
 *  more often means 10.0.0.1 than sixteen million addresses. */
export function parseCidr(text: string): Cidr {
  if (typeof text !== 'string') {
    throw new UsageError(`found ${quote(text)}, expected an address or a range of addresses`, hint);
  }
  const trimmed = text.trim();
  const slash = trimmed.indexOf('/');
  const address = slash < 0 ? trimmed : trimmed.slice(0, slash);
  const { bytes, bits } = parseAddress(address, text);
  const prefix = (slash < 0 ? bits : parsePrefix(trimmed.slice(slash + 1), bits, text)) + 128 - bits;
  const network = maskBytes(bytes, prefix);

  if (network.some((byte, i) => byte !== bytes[i])) {
    throw new UsageError(
      `found ${quote(text)}, an address with bits set behind its prefix`,
      `Write ${formatCidr({ bytes: network, prefix })} for the range, or ${address} for that address alone.`,
    );
  }
  return { bytes, prefix };
}

export function formatCidr({ bytes, prefix }: Cidr): string {
  const address = ipaddr.fromByteArray([...bytes]) as ipaddr.IPv6;

  if (address.isIPv4MappedAddress() && prefix >= mappedBits) {
    return `${address.toIPv4Address()}/${prefix - mappedBits}`;
  }
  return `${address.toRFC5952String()}/${prefix}`;
}

/** True when `address` (16 bytes, IPv4 mapped) lies in the range: the comparison that the kernel program makes. */
export function cidrContains({ bytes, prefix }: Cidr, address: Uint8Array): boolean {
  return maskBytes(address, prefix).every((byte, i) => byte === bytes[i]);
}

/** The ranges that hold all of `cidr` but never an IPv4 address. With IPv4 written as ::ffff:0:0/96, `::/0` would
 *  match it too, though whoever writes `::/0` means IPv6. A prefix below 16 also leaves out the rest of ::/16, to
 *  need 16 ranges instead of 96: RFC 4291 section 2.5 reserves it, and only the loopback address is in use there. */
export function withoutMapped(cidr: Cidr): Cidr[] {
  if (cidr.prefix >= mappedBits || !cidrContains(cidr, mappedNetwork)) return [cidr];
  const end = cidr.prefix < 16 ? 16 : mappedBits;

  return Array.from({ length: end - cidr.prefix }, (_, i) => {
    const bit = cidr.prefix + i;
    const flip = 0x80 >> (bit & 7);

    return {
      bytes: maskBytes(mappedNetwork, bit + 1).map((b, at) => (at === bit >> 3 ? b ^ flip : b)),
      prefix: bit + 1,
    };
  });
}

function parseAddress(address: string, text: string): { bytes: Uint8Array; bits: 32 | 128 } {
  // ipaddr.js also reads 0x7f.1 and 010.0.0.1, as inet_aton does; in a rule those are mistakes waiting to happen.
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) {
    return {
      bytes: Uint8Array.from(ipaddr.IPv4.parse(address).toIPv4MappedAddress().toByteArray()),
      bits: 32,
    };
  }
  // A zone (fe80::1%eth0) names an interface of this machine, and packets do not carry it.
  if (address.includes(':') && !address.includes('%') && ipaddr.IPv6.isValid(address)) {
    return { bytes: Uint8Array.from(ipaddr.IPv6.parse(address).toByteArray()), bits: 128 };
  }
  throw new UsageError(`found ${quote(text)}, expected an address or a range of addresses`, hint);
}

function parsePrefix(digits: string, bits: number, text: string): number {
  const prefix = /^\d{1,3}$/.test(digits) ? Number(digits) : Number.NaN;

  if (prefix <= bits) return prefix;
  throw new UsageError(
    `found ${quote(text)}, expected a prefix length from 0 to ${bits} behind the slash`,
    hint,
  );
}

function maskBytes(bytes: Uint8Array, prefix: number): Uint8Array {
  return bytes.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, prefix - i * 8));

    return byte & (0xff00 >> kept);
  });
}
