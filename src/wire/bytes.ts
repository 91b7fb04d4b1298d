/** Why bytes are not what they should be, and where. */
export interface WireError {
  ok: false;
  /** Offset of the field from the start of the buffer. */
  offset: number;
  field: string;
  reason: string;
}

export type Parsed<T> = ({ ok: true } & T) | WireError;

export function wireError(offset: number, field: string, reason: string): WireError {
  return { ok: false, offset, field, reason };
}

/** Network byte order. The caller has checked the length; what lies behind the end reads as zero. */
export function u8(bytes: Uint8Array, offset: number): number {
  return bytes[offset] ?? 0;
}

export function u16(bytes: Uint8Array, offset: number): number {
  return (u8(bytes, offset) << 8) | u8(bytes, offset + 1);
}

export function u32(bytes: Uint8Array, offset: number): number {
  return ((u16(bytes, offset) << 16) | u16(bytes, offset + 2)) >>> 0;
}

export function putU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}

export function putU32(bytes: Uint8Array, offset: number, value: number): void {
  putU16(bytes, offset, value >>> 16);
  putU16(bytes, offset + 2, value);
}
