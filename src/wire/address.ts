import ipaddr from 'ipaddr.js';

/** Addresses are 16 bytes everywhere: IPv6 as it is, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
export const addressLength = 16;

export function isMapped(bytes: Uint8Array, offset = 0): boolean {
  for (let i = 0; i < 10; i++) if (bytes[offset + i] !== 0) return false;
  return bytes[offset + 10] === 0xff && bytes[offset + 11] === 0xff;
}

/** Dotted quad, or IPv6 as RFC 5952 writes it, without brackets. */
export function formatAddress(bytes: Uint8Array, offset = 0): string {
  if (bytes.length < offset + addressLength) {
    throw new RangeError(
      `an address needs 16 bytes from offset ${offset}; there are ${bytes.length} bytes in all`,
    );
  }
  if (isMapped(bytes, offset)) return bytes.subarray(offset + 12, offset + 16).join('.');
  return (ipaddr.fromByteArray([...bytes.subarray(offset, offset + 16)]) as ipaddr.IPv6).toRFC5952String();
}

/** The 16 bytes of an address in text form, or null when the text is none. */
export function parseAddress(text: string): Uint8Array | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return mapIpv4(ipaddr.IPv4.parse(text).toByteArray());
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return null;
  return Uint8Array.from(ipaddr.IPv6.parse(text).toByteArray());
}

/** 16 bytes from the four that an IPv4 header holds. */
export function mapIpv4(bytes: ArrayLike<number>, offset = 0): Uint8Array {
  const mapped = new Uint8Array(addressLength);

  mapped[10] = mapped[11] = 0xff;
  for (let i = 0; i < 4; i++) mapped[12 + i] = bytes[offset + i] ?? 0;
  return mapped;
}
