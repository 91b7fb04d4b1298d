/**
 * What has to survive the engine besides its descriptors: which of them belong to which flow. It lies in a memfd that
 * is among the descriptors; storing into it costs no system call. A new layout takes a new VERSION.
 */
import { mmapShared } from '../../kernel/ffi.js';
import {
  Config,
  FLOW_BYTES,
  HANDSHAKE_BYTES,
  KEY_BYTES,
  kernelCounters,
  MAX_WORKERS,
  workerCounters,
} from '../layout.js';

/** Raise it when this file or bpf/layout.h changes its meaning: what another version has left is cleaned, not adopted. */
export const VERSION = 2;
export const MEMFD_NAME = 'desplice-flows';
const MAGIC = 0x44535043;

/** Maps that the next engine goes on with, in the order of their descriptors in the header. */
export const keptMaps = [
  'config',
  'rule_banks',
  'handshakes',
  'flows',
  'counters',
  'unsupported',
  'fragments',
] as const;
export type KeptMaps = Record<(typeof keptMaps)[number], number>;

/** Offsets of 32-bit words in the header. */
const Header = {
  magic: 0,
  version: 4,
  fingerprint: 8,
  workers: 12,
  slots: 16,
  committed: 20,
  epoch: 24,
  maps: 32,
  offer: 64,
};
/** Of Header.offer, in its two lowest bits: whose the flows are while a new engine takes over from a running one. */
const Offer = { NONE: 0, OPEN: 1, TAKEN: 2, WITHDRAWN: 3 } as const;
const HEADER = 4096;
/** Of one worker: its counters, and the data that it is about to send by hand (DIRECT_BYTES of direct.ts at most). */
const REGION = 8192;
const DIRECT = 512;
const DIRECT_HEAD = 56;

const SLOT = 192;
/** Offsets in a slot. */
export const Slot = {
  state: 0,
  generation: 4,
  /** Two descriptors: the sockets that face the client and the server. */
  sockets: 8,
  /** Two descriptors each, by the source of the direction: read end and write end of the pipe; -1: none. */
  pipes: 16,
  started: 32,
  key: 40,
  handshake: 80,
  /** By source: an urgent byte that is being passed on, plus 256; 0: none. And what its target had been given before. */
  urgent: 160,
  urgentAt: 168,
} as const;
/** What is in a slot. What a handler has read and not written is nobody's but the engine's. STAYING: relayed, and not to be
 *  handed over to a new engine while this one lives. */
export const SlotState = { FREE: 0, RELAY: 1, HANDLE: 2, STAYING: 3 } as const;

/** Two engines that agree on this number and on VERSION read each other's memory alike. */
const fingerprint = [
  KEY_BYTES,
  HANDSHAKE_BYTES,
  FLOW_BYTES,
  Config.bytes,
  kernelCounters.length,
  workerCounters.length,
].reduce((sum, n) => (Math.imul(sum, 31) + n) >>> 0, SLOT);
/** The same as one word. */
export const LAYOUT = `${VERSION}.${fingerprint.toString(16)}`;

export const tableBytes = (workers: number, slots: number): number =>
  HEADER + MAX_WORKERS * REGION + workers * slots * SLOT;

export interface DirectNote {
  key: Uint8Array;
  from: number;
  payload: Uint8Array;
}

export class KeptTable {
  readonly buffer: ArrayBuffer;
  readonly words: DataView;
  readonly bytes: Uint8Array;
  readonly #atomic: Uint32Array;

  private constructor(buffer: ArrayBuffer) {
    this.buffer = buffer;
    this.words = new DataView(buffer);
    this.bytes = new Uint8Array(buffer);
    this.#atomic = new Uint32Array(buffer, 0, buffer.byteLength >>> 2);
  }

  /** Writes the header of a new table. */
  static create(fd: number, workers: number, slots: number, epoch: number): KeptTable {
    const table = new KeptTable(mmapShared(fd, tableBytes(workers, slots)));
    const { words } = table;
    words.setUint32(Header.version, VERSION, true);
    words.setUint32(Header.fingerprint, fingerprint, true);
    words.setUint32(Header.workers, workers, true);
    words.setUint32(Header.slots, slots, true);
    words.setFloat64(Header.epoch, epoch, true);
    words.setUint32(Header.magic, MAGIC, true);
    return table;
  }

  /** Null: it was written by another version. */
  static open(fd: number): KeptTable | null {
    const head = new DataView(mmapShared(fd, HEADER));
    const is = (at: number, value: number) => head.getUint32(at, true) === value;
    if (!is(Header.magic, MAGIC) || !is(Header.version, VERSION) || !is(Header.fingerprint, fingerprint))
      return null;
    const [workers, slots] = [head.getUint32(Header.workers, true), head.getUint32(Header.slots, true)];
    return new KeptTable(mmapShared(fd, tableBytes(workers, slots)));
  }

  get workers(): number {
    return this.words.getUint32(Header.workers, true);
  }
  get slots(): number {
    return this.words.getUint32(Header.slots, true);
  }
  /** When its engine started: of two that are whole the younger one counts. */
  get epoch(): number {
    return this.words.getFloat64(Header.epoch, true);
  }
  /** Its engine has taken over all that there was. */
  get committed(): boolean {
    return this.words.getUint32(Header.committed, true) === 1;
  }
  commit(): void {
    Atomics.store(this.#atomic, Header.committed >>> 2, 1);
  }

  /**
   * What is written here is on offer to a new engine, until one of the two has the last word: it takes it, or we withdraw
   * it. Whoever comes first decides for both, in one instruction, whatever becomes of either process. Returns the number of
   * the offer, so that nobody takes one that was withdrawn long ago.
   */
  offer(): number {
    const number = ((this.words.getUint32(Header.offer, true) >>> 2) + 1) & 0xffffff;
    Atomics.store(this.#atomic, Header.offer >>> 2, (number << 2) | Offer.OPEN);
    return number;
  }
  /** False: the old engine has withdrawn it, and goes on. */
  takeOffer(number: number): boolean {
    return this.#settleOffer(number, Offer.TAKEN);
  }
  /** False: the new engine has taken it, and goes on. */
  withdrawOffer(number: number): boolean {
    return this.#settleOffer(number, Offer.WITHDRAWN);
  }
  #settleOffer(number: number, as: number): boolean {
    const open = (number << 2) | Offer.OPEN;
    return Atomics.compareExchange(this.#atomic, Header.offer >>> 2, open, (number << 2) | as) === open;
  }

  get maps(): KeptMaps {
    const entries = keptMaps.map((name, i) => [name, this.words.getInt32(Header.maps + 4 * i, true)]);
    return Object.fromEntries(entries) as KeptMaps;
  }
  set maps(maps: KeptMaps) {
    for (const [i, name] of keptMaps.entries()) {
      this.words.setInt32(Header.maps + 4 * i, maps[name], true);
    }
  }

  /** Where a worker's counters begin. */
  counters(worker: number): number {
    return HEADER + worker * REGION;
  }

  /** Where a slot begins. */
  at(worker: number, index: number): number {
    return HEADER + MAX_WORKERS * REGION + (worker * this.slots + index) * SLOT;
  }

  state(at: number): number {
    return this.words.getUint32(at + Slot.state, true);
  }
  /** Stored last when a slot is filled: whatever is killed in between has not filled it. */
  setState(at: number, state: number): void {
    Atomics.store(this.#atomic, (at + Slot.state) >>> 2, state);
  }

  /** The data that a worker is about to send by hand, until `clearDirect`. */
  noteDirect(worker: number, key: Uint8Array, from: number, payload: Uint8Array): void {
    const at = HEADER + worker * REGION + DIRECT;
    this.words.setUint32(at + 4, payload.length, true);
    this.words.setUint32(at + 8, from, true);
    this.bytes.set(key, at + 16);
    this.bytes.set(payload, at + DIRECT_HEAD);
    Atomics.store(this.#atomic, at >>> 2, 1);
  }
  clearDirect(worker: number): void {
    Atomics.store(this.#atomic, (HEADER + worker * REGION + DIRECT) >>> 2, 0);
  }
  direct(worker: number): DirectNote | null {
    const at = HEADER + worker * REGION + DIRECT;
    if (this.words.getUint32(at, true) !== 1) return null;
    const payload = at + DIRECT_HEAD;
    return {
      key: this.bytes.slice(at + 16, at + 16 + KEY_BYTES),
      from: this.words.getUint32(at + 8, true),
      payload: this.bytes.slice(payload, payload + this.words.getUint32(at + 4, true)),
    };
  }
}
