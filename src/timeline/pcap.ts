/** The classic capture file of libpcap (pcap-savefile(5)), as tcpdump writes it. Nothing here trusts a length. */
import type { Parsed } from '../wire/bytes.js';
import { wireError } from '../wire/bytes.js';

/** LINKTYPE_ values of the registry at tcpdump.org. */
export const LinkType = { ethernet: 1, raw: 101 } as const;

export interface Frame {
  /** Microseconds since the epoch. */
  time: number;
  /** What was captured: the beginning, when the snapshot length was smaller than the frame. */
  bytes: Uint8Array;
  /** Length on the wire. */
  length: number;
}

export interface Pcap {
  linkType: number;
  frames: Frame[];
  /** Bytes read. What is left is the beginning of a record that the writer has not finished. */
  used: number;
}

export interface PcapHeader {
  littleEndian: boolean;
  nanoseconds: boolean;
  linkType: number;
}

export const pcapHeaderLength = 24;
const recordHeaderLength = 16;
/** tcpdump itself refuses more (MAXIMUM_SNAPLEN in pcap-int.h): such a length is a broken file, not a long record. */
const longestRecord = 262_144;

export function readPcapHeader(bytes: Uint8Array): Parsed<PcapHeader> {
  if (bytes.length < pcapHeaderLength) {
    return wireError(
      0,
      'file header',
      `${bytes.length} bytes are too few for a header of ${pcapHeaderLength}`,
    );
  }
  const view = viewOf(bytes);
  const magic = view.getUint32(0, true);
  const known = magics.get(magic);
  if (!known) return wireError(0, 'magic', `found ${magic.toString(16)}; this is no pcap file`);
  // The upper bits hold the length of a frame check sequence.
  return { ok: true, ...known, linkType: view.getUint32(20, known.littleEndian) & 0xffff };
}

const magics = new Map([
  [0xa1b2c3d4, { littleEndian: true, nanoseconds: false }],
  [0xd4c3b2a1, { littleEndian: false, nanoseconds: false }],
  [0xa1b23c4d, { littleEndian: true, nanoseconds: true }],
  [0x4d3cb2a1, { littleEndian: false, nanoseconds: true }],
]);

/** Reads the whole records of `bytes` from `start` on; a file that grows can be read piece by piece. */
export function readPcapRecords(
  header: PcapHeader,
  bytes: Uint8Array,
  start = 0,
): Parsed<{ frames: Frame[]; used: number }> {
  const view = viewOf(bytes);
  const little = header.littleEndian;
  const frames: Frame[] = [];
  let at = start;

  while (at + recordHeaderLength <= bytes.length) {
    const captured = view.getUint32(at + 8, little);
    const length = view.getUint32(at + 12, little);
    if (captured > longestRecord) {
      return wireError(at + 8, 'captured length', `found ${captured}, more than any capture holds`);
    }
    if (at + recordHeaderLength + captured > bytes.length) break;
    const fraction = view.getUint32(at + 4, little);
    const time = view.getUint32(at, little) * 1e6 + (header.nanoseconds ? fraction / 1000 : fraction);
    const from = at + recordHeaderLength;
    frames.push({ time, bytes: bytes.subarray(from, from + captured), length: Math.max(length, captured) });
    at = from + captured;
  }
  return { ok: true, frames, used: at };
}

/** Reads a whole capture. */
export function readPcap(bytes: Uint8Array): Parsed<Pcap> {
  const header = readPcapHeader(bytes);
  if (!header.ok) return header;
  const records = readPcapRecords(header, bytes, pcapHeaderLength);
  return records.ok ? { ...records, linkType: header.linkType } : records;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
