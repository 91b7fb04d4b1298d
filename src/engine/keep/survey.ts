/** Looks through what an engine that is gone has left, and settles what becomes of each flow: adopted, reset or forgotten. */

import { readlinkSync } from 'node:fs';
import { MapWalk, mapDelete, mapLookup } from '../../kernel/bpf.js';
import { E } from '../../kernel/ffi.js';
import { socketName } from '../../kernel/host_socket.js';
import { close, hasResetOnClose, setResetOnClose } from '../../kernel/socket.js';
import { FLOW_BYTES, FLOW_LIVE, HANDSHAKE_BYTES, KEY_BYTES, Live } from '../layout.js';
import { CLIENT, Identity, SERVER, type Side } from '../taken.js';
import { dropSilently, eachConnection, type Keeper, type Predecessor, socketInode } from './predecessors.js';
import { type KeptTable, Slot, SlotState } from './table.js';

/** Entries of the map of flows that are looked at in one go. */
const SLICE = 4096;

export interface Survey {
  /** To be adopted by the workers: their slots are still filled. */
  adopted: number;
  /** In a handler's hands, of which nothing survives. */
  handled: number;
  /** Of one that was ending, or a keeper that is gone. */
  lost: number;
}

/** What is left in a slot that is not to be adopted is marked free. */
export function survey(predecessor: Predecessor, table: KeptTable, flows: number): Survey {
  const result: Survey = { adopted: 0, handled: 0, lost: 0 };
  const adopted = new Set<string>();
  const keys = new Set<string>();
  const value = new Uint8Array(FLOW_BYTES);
  const live = new DataView(value.buffer, FLOW_LIVE);
  /** Sockets of flows that are ours and can't go on. */
  const broken = new Set<string>();
  for (let worker = 0; worker < table.workers; worker++) {
    const keeper = predecessor.keepers.find((each) => each.worker === worker);
    for (let index = 0; index < table.slots; index++) {
      const at = table.at(worker, index);
      const state = table.state(at);
      if (state === SlotState.FREE) continue;
      const identity = identityAt(table, at);
      // LEAVING: it was being given back to forwarding, and its packets have passed the sockets by since.
      const taken =
        mapLookup(flows, identity.key, value) === 0 && (live.getUint32(0, true) & Live.LEAVING) === 0;
      const sockets = ([CLIENT, SERVER] as const).map(
        (side) => keeper && socketOf(keeper, table, at, side, identity),
      );
      const whole = taken && sockets.every((inode) => inode);
      if (whole && state !== SlotState.HANDLE) {
        result.adopted++;
        keys.add(nameOf(identity.key));
        for (const inode of sockets) adopted.add(inode as string);
        continue;
      }
      table.setState(at, SlotState.FREE);
      // Without an entry it was not ours yet, or not any more: its sockets go silently, with all that are in no slot.
      if (!taken) continue;
      if (state === SlotState.HANDLE) result.handled++;
      // One that was being closed has been counted already.
      else if (!keeper) result.lost++;
      for (const inode of sockets) if (inode) broken.add(inode);
    }
  }
  eachConnection(predecessor, (fd, inode) => {
    if (broken.has(inode)) setResetOnClose(fd);
    // One that is to be reset already was found by an engine that was killed while it took over.
    if (adopted.has(inode) || hasResetOnClose(fd)) close(fd);
    else dropSilently(fd);
  });
  forgetOthers(flows, keys);
  return result;
}

const nameOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

export function identityAt(table: KeptTable, at: number): Identity {
  const from = (offset: number, length: number) => table.bytes.slice(at + offset, at + offset + length);
  return new Identity(from(Slot.key, KEY_BYTES), from(Slot.handshake, HANDSHAKE_BYTES));
}

/** The inode of the socket that faces `side`, if it is there and really is that: a number may serve another flow by now. */
function socketOf(
  keeper: Keeper,
  table: KeptTable,
  at: number,
  side: Side,
  identity: Identity,
): string | null {
  const number = table.words.getInt32(at + Slot.sockets + 4 * side, true);
  const fd = keeper.process.copy(number);
  if (fd < 0) return null;
  const other = side === CLIENT ? SERVER : CLIENT;
  const matches = isNamed(fd, identity, side, true) && isNamed(fd, identity, other, false);
  close(fd);
  if (!matches) return null;
  try {
    return socketInode(readlinkSync(`/proc/${keeper.process.pid}/fd/${number}`));
  } catch {
    return null;
  }
}

function isNamed(fd: number, identity: Identity, side: Side, peer: boolean): boolean {
  const name = socketName(fd, peer);
  if (typeof name === 'number') return isOver(name, peer);
  if (name.port !== identity.port(side)) return false;
  const at = identity.addressOffset(side);
  return name.address.every((byte, i) => byte === identity.key[at + i]);
}

/** A connection that has ended has no peer (ENOTCONN), but still its own name. */
const isOver = (error: number, peer: boolean): boolean => peer && error === -E.ENOTCONN;

/** Removes the entries of flows that nobody has sockets for: their packets would meet none. */
function forgetOthers(flows: number, adopted: ReadonlySet<string>): void {
  const walk = new MapWalk(flows, KEY_BYTES, FLOW_BYTES, SLICE);
  const others: Uint8Array[] = [];
  for (let more = true; more; ) {
    more = walk.next();
    for (let i = 0; i < walk.count; i++) {
      const key = walk.keys.slice(i * KEY_BYTES, (i + 1) * KEY_BYTES);
      if (!adopted.has(nameOf(key))) others.push(key);
    }
  }
  for (const key of others) mapDelete(flows, key);
}
