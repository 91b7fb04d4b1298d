/** The other half of bpf/layout.h: offsets and sizes of what the maps hold. Change both together. */
import type { HandshakeRecord, SynRecord } from '../flow/record.js';
import { protocols } from '../peek/seen.js';

export const KEY_BYTES = 36;
export const SIDE_BYTES = 20;
export const HANDSHAKE_BYTES = 80;
export const FLOW_LIVE = 2 * SIDE_BYTES;
/** Bits of `live` besides those of the two sides. */
export const Live = {
  SIDES: 3,
  CATCHING_UP: 4,
  RELEASING: 32,
  LEAVING: 64,
  OVER: 128,
  MAY_PART: 256,
  PARTED: 512,
  ARRIVING: 1024,
} as const;
/** Behind `live` come words that the kernel program keeps; zero at first. Two of each: by side of the key. */
export const FLOW_NEXT = FLOW_LIVE + 4;
export const FLOW_STAMP = FLOW_NEXT + 8;
export const FLOW_ID = FLOW_LIVE + 32;
/** By side of the key: what it has acknowledged, and behind what it has no room; both as of the handshake at first. Then what has
 *  been acknowledged in its name, the end of the window that was shown with it, and that of our socket; where its newest segment
 *  begins. */
export const FLOW_ACKED = FLOW_ID + 8;
export const FLOW_ROOM = FLOW_ACKED + 8;
export const FLOW_SAID = FLOW_ROOM + 8;
export const FLOW_SHOWN = FLOW_SAID + 8;
export const FLOW_EDGE = FLOW_SHOWN + 8;
export const FLOW_LAST = FLOW_EDGE + 8;
export const FLOW_BYTES = FLOW_LAST + 8;
/** Of what change_flow takes: the key, then the bits of `live` that stay, those that are added, how many segments must have
 *  been held, and the flow. */
export const CHANGE_KEEP = KEY_BYTES;
export const CHANGE_FLOW = KEY_BYTES + 12;
export const ANY_NUMBER = 0xffffffff;
/** What it says when not so many were. */
export const MORE_HELD = 2;
export const HANDSHAKE_STATE = 40;
export const HANDSHAKE_CLIENT = 44;
export const HANDSHAKE_RULE = 45;
export const HANDSHAKE_GENERATION = 46;
export const HANDSHAKE_STARTED = 48;
export const HANDSHAKE_MADE = 56;
export const HANDSHAKE_RTT = 64;
export const State = { SYN_SENT: 1, HELD: 4, FORWARD: 5 } as const;

export const Has = { MSS: 1, WSCALE: 2, SACK: 4, TS: 8, ECN: 16, SCALED_WINDOW: 32 } as const;

export const MAX_WORKERS = 16;
export const MAX_RULES = 256;
export const RULE_BYTES = 72;
/** Of struct rule. */
export const Setting = { ECN_OFF: 1, STRIP: 2 } as const;

/** Offsets in struct config. */
export const Config = {
  heartbeat: 0,
  tun: 128,
  workers: 192,
  mark: 196,
  markMask: 200,
  generation: 204,
  ruleCount: 208,
  ports: 216,
  writing: 8408,
  listener: 8472,
  parted: 8536,
  bytes: 8536 + 16 * 8200,
} as const;

/** Of struct parted: two words (head, tail), then pairs of words (index, generation). */
export const PARTED_RING = 1024;
export const PARTED_BYTES = 8 + 8 * PARTED_RING;

/** Of Config.writing: what a worker's packet is, while it writes it. */
export const Writing = { HELD: 0, MAKING: 1, PASSING: 2 } as const;

/** Names of enum counter, in its order. */
export const kernelCounters = [
  'seen',
  'completed',
  'refused',
  'unmatched',
  'noData',
  'asymmetric',
  'unsupportedOption',
  'dataInSyn',
  'simultaneousOpen',
  'midstream',
  'engineStale',
  'decided',
  'ecn',
] as const;

/** Counters that a worker keeps, by index into its shared Float64Array. */
export const workerCounters = [
  'intercepted',
  'active',
  'closed',
  'reset',
  'released',
  'toServer',
  'toClient',
  'failed',
  'tableFull',
  'decided',
  'endedInHold',
  'ecn',
  ...protocols,
] as const;
export type WorkerCounter = (typeof workerCounters)[number];

/** One end's half of a handshake entry, read where it lies. */
export class SideView {
  constructor(
    readonly bytes: Uint8Array,
    readonly offset: number,
  ) {}
  #u16(at: number): number {
    const i = this.offset + at;
    return (this.bytes[i] as number) | ((this.bytes[i + 1] as number) << 8);
  }
  get isn(): number {
    return this.#u16(0) + this.#u16(2) * 65536;
  }
  get tsval(): number {
    return this.#u16(4) + this.#u16(6) * 65536;
  }
  get window(): number {
    return this.#u16(8);
  }
  get mss(): number {
    return this.#u16(10);
  }
  get scale(): number {
    return this.bytes[this.offset + 12] as number;
  }
  get has(): number {
    return this.bytes[this.offset + 13] as number;
  }
  get ttl(): number {
    return this.bytes[this.offset + 14] as number;
  }
}

function synRecord(side: SideView): SynRecord {
  const has = side.has;
  return {
    isn: side.isn,
    mss: has & Has.MSS ? side.mss : null,
    windowScale: has & Has.WSCALE ? side.scale : null,
    sackPermitted: (has & Has.SACK) !== 0,
    timestamps: (has & Has.TS) !== 0,
    ecn: (has & Has.ECN) !== 0,
    ttl: side.ttl,
  };
}

export function handshakeRecord(bytes: Uint8Array, clientSide: number): HandshakeRecord {
  const at = (side: number) => new SideView(bytes, side * SIDE_BYTES);
  return { client: synRecord(at(clientSide)), server: synRecord(at(1 - clientSide)) };
}
