import { type Parsed, u8, u16, u32, wireError } from './bytes.js';

/** RFC 9293 section 3.1, RFC 3168 for two of ECN, RFC 9768 for the third, which lies in the byte before. */
export const tcpFlags = {
  fin: 0x01,
  syn: 0x02,
  rst: 0x04,
  psh: 0x08,
  ack: 0x10,
  urg: 0x20,
  ece: 0x40,
  cwr: 0x80,
  ae: 0x100,
} as const;

/** What an end that named no MSS is bound to accept (RFC 9293 MUST-15, MUST-16), by IP version. */
export const DEFAULT_MSS = { 4: 536, 6: 1220 } as const;

interface TcpOptions {
  mss: number | null;
  /** As sent; RFC 7323 section 2.3 has a receiver use 14 for anything above. */
  windowScale: number | null;
  sackPermitted: boolean;
  timestamps: { tsval: number; tsecr: number } | null;
  /** Kinds that were there and are not named above. */
  others: number[];
  /** False when the walk ended at an option whose length can't be: what came before it still counts. */
  wellFormed: boolean;
}

export interface TcpHeader {
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack: number;
  /** Bytes of the header, options included. */
  dataOffset: number;
  flags: number;
  /** As sent, not scaled. */
  window: number;
  options: TcpOptions;
}

/** Reads the TCP header at `start`; the segment ends at `end`. */
export function parseTcp(bytes: Uint8Array, start = 0, end = bytes.length): Parsed<TcpHeader> {
  const stop = Math.min(end, bytes.length);

  if (stop - start < 20) {
    return wireError(
      start,
      'header',
      `${Math.max(0, stop - start)} bytes are too few for a TCP header of 20`,
    );
  }
  const dataOffset = (u8(bytes, start + 12) >> 4) * 4;

  if (dataOffset < 20)
    return wireError(start + 12, 'data offset', `found ${dataOffset}, expected 20 or more`);
  if (start + dataOffset > stop) {
    return wireError(
      start + 12,
      'data offset',
      `found ${dataOffset}, but the segment has ${stop - start} bytes`,
    );
  }
  return {
    ok: true,
    sourcePort: u16(bytes, start),
    destinationPort: u16(bytes, start + 2),
    seq: u32(bytes, start + 4),
    ack: u32(bytes, start + 8),
    dataOffset,
    flags: u16(bytes, start + 12) & 0x1ff,
    window: u16(bytes, start + 14),
    options: parseTcpOptions(bytes, start + 20, start + dataOffset),
  };
}

/** Walks the options. An option of a known kind with a wrong length is skipped, as RFC 9293 MUST-7 has hosts survive it
 *  and as tcp_parse_options() in the kernel does. */
export function parseTcpOptions(bytes: Uint8Array, start: number, end: number): TcpOptions {
  const options: TcpOptions = {
    mss: null,
    windowScale: null,
    sackPermitted: false,
    timestamps: null,
    others: [],
    wellFormed: true,
  };
  let at = start;

  while (at < end) {
    const kind = u8(bytes, at);

    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = at + 1 < end ? u8(bytes, at + 1) : 0;

    if (length < 2 || at + length > end) {
      options.wellFormed = false;
      break;
    }
    readOption(options, bytes, at, kind, length);
    at += length;
  }
  return options;
}

function readOption(options: TcpOptions, bytes: Uint8Array, at: number, kind: number, length: number): void {
  if (kind === 2 && length === 4) options.mss = u16(bytes, at + 2);
  else if (kind === 3 && length === 3) options.windowScale = u8(bytes, at + 2);
  else if (kind === 4 && length === 2) options.sackPermitted = true;
  else if (kind === 8 && length === 10) {
    options.timestamps = { tsval: u32(bytes, at + 2), tsecr: u32(bytes, at + 6) };
  } else options.others.push(kind);
}
