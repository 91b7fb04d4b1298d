/** A worker takes its flows out of the keepers of the engine before it: descriptors by copy, all else from kernel state. */

import { unshareFiles } from '../../kernel/holder.js';
import { OtherProcess } from '../../kernel/pidfd.js';
import { leaveRepair, readSequence } from '../../kernel/repair.js';
import { atUrgentMark, close, recv, send } from '../../kernel/socket.js';
import { pipeBytes } from '../../kernel/splice.js';
import { payloadSent } from '../../kernel/tcp_info.js';
import type { FlowTable } from '../flow-table.js';
import { Live } from '../layout.js';
import { workerOf } from '../packet-key.js';
import { CLIENT, SERVER, type Side, TakenFlow } from '../taken.js';
import { dropUnshared } from './private-files.js';
import { identityAt } from './survey.js';
import { type DirectNote, KeptTable, Slot, SlotState } from './table.js';
import type { KeptFlows } from './writer.js';

/** What the main thread tells a worker of one that keeps. */
export interface KeepData {
  /** Descriptor of the table. */
  memfd: number;
  workers: number;
  /** By worker of the engine before, which is gone: the process that keeps its descriptors, and its table in there. */
  keepers: TableOf[];
}

/** From here on this thread's descriptors are its own, for a keeper to share: those of the main thread are not among them. */
export function separateFiles(): void {
  unshareFiles();
  dropUnshared();
}

export function openKept(memfd: number): KeptTable {
  const table = KeptTable.open(memfd);
  if (!table) throw new Error('the table of kept flows was not made by this version');
  return table;
}

/** Descriptors of flows of another engine, and how they are numbered here. */
export interface Copied {
  flows: TakenFlow[];
  /** The tracker knows them by other numbers. */
  renumbered: boolean;
  /** What its worker was about to send by hand when it was killed. */
  directs: Map<TakenFlow, DirectNote>;
}

/** A table of another engine, and the process with its descriptors. `used`, of one that lives: slots that may be filled. */
interface TableOf {
  pid: number;
  worker: number;
  memfd: number;
  used?: number;
}

/**
 * Fills `table` with copies of those flows that belong to this worker, which writes them down in `kept`. Nothing of theirs is
 * moved, and the entries in the kernel are left as they are.
 */
export function copyFlows(
  table: FlowTable,
  kept: KeptFlows | null,
  sources: readonly TableOf[],
  workers: number,
): Copied {
  const copied: Copied = { flows: [], renumbered: false, directs: new Map() };
  for (const source of sources) {
    const other = new OtherProcess(source.pid);
    try {
      copyFrom(other, source, table, kept, workers, copied);
    } finally {
      other.close();
    }
  }
  table.renumber();
  return copied;
}

function copyFrom(
  other: OtherProcess,
  { worker, memfd, used }: TableOf,
  table: FlowTable,
  kept: KeptFlows | null,
  workers: number,
  copied: Copied,
): void {
  const fd = other.copy(memfd);
  const before = KeptTable.open(fd);
  close(fd);
  if (!before) return;
  const direct = before.direct(worker);
  // A number of workers that has changed changes whose flows they are; then they are numbered anew.
  const same = before.workers === workers;
  if (!same) copied.renumbered = true;
  for (let index = 0; index < Math.min(before.slots, used ?? before.slots); index++) {
    const at = before.at(worker, index);
    const state = before.state(at);
    // One that was to stay with its engine does so while that lives.
    if (state !== SlotState.RELAY && (used !== undefined || state !== SlotState.STAYING)) continue;
    const identity = identityAt(before, at);
    if (workerOf(identity.key, workers) !== table.worker) continue;
    const generation = before.words.getUint32(at + Slot.generation, true);
    const keyString = Buffer.from(identity.key).toString('latin1');
    const place = same ? { index, generation } : table.place();
    const flow = new TakenFlow(table.worker, place.index, place.generation, keyString, identity, 'relay');
    flow.started = before.words.getFloat64(at + Slot.started, true);
    // Before its descriptors are copied: whoever gives up finds all in the table.
    table.adopt(flow);
    for (const side of [CLIENT, SERVER] as const) {
      flow.fds[side] = other.copyKnown(before.words.getInt32(at + Slot.sockets + 4 * side, true), 'a socket');
    }
    for (const from of [CLIENT, SERVER] as const) restore(flow, from, before, at, other);
    kept?.put(flow);
    if (direct && identity.key.every((byte, i) => byte === direct.key[i])) copied.directs.set(flow, direct);
    copied.flows.push(flow);
  }
}

/**
 * They are ours now: the kernel's entries are put right. Returns those that go on; others the tracker has ended meanwhile. `forget`
 * is called when the tracker names none by its old number any more.
 */
export function settleCopied(table: FlowTable, copied: Copied, forget: () => void): TakenFlow[] {
  // A flow may have been half way into forwarding, or what is held for it is lost, and comes again.
  const undone = Live.CATCHING_UP | Live.RELEASING;
  if (copied.renumbered) {
    for (const { identity } of copied.flows) table.entry.change(identity, undone | Live.MAY_PART, Live.SIDES);
  }
  forget();
  return copied.flows.filter((flow) => {
    table.entry.change(flow.identity, undone, Live.SIDES);
    if (table.entry.parted) {
      table.part(flow);
      return false;
    }
    const direct = copied.directs.get(flow);
    if (direct) sendDirect(flow, direct);
    return true;
  });
}

/** What is in transit from `from` to the other end, and on which socket. */
function restore(flow: TakenFlow, from: Side, before: KeptTable, at: number, keeper: OtherProcess): void {
  const direction = flow.directions[from];
  const [source, target] = [flow.fds[from], flow.fds[from === CLIENT ? SERVER : CLIENT]];
  // It was being released: a socket in repair mode sends nothing.
  leaveRepair(source);
  const pipe = at + Slot.pipes + 8 * from;
  const end = (offset: number): number =>
    keeper.copyKnown(before.words.getInt32(pipe + offset, true), 'a pipe');
  const readEnd = end(0);
  if (readEnd >= 0) {
    try {
      direction.pipe = { readEnd, writeEnd: end(4) };
    } catch (error) {
      close(readEnd);
      throw error;
    }
    direction.queued = pipeBytes(readEnd);
  }
  direction.streaming = true;
  direction.bytes = Math.max(0, payloadSent(target, true));
  // Which of the two has closed first is forgotten: whichever has left a TIME_WAIT, it is removed.
  flow.activeClose[from] = true;
  // An urgent byte is sent first and taken from its source afterwards: it may lie there though it was sent.
  const urgent = before.words.getUint32(at + Slot.urgent + 4 * from, true);
  const sent = direction.bytes > before.words.getFloat64(at + Slot.urgentAt + 8 * from, true);
  if (atUrgentMark(source)) {
    if (urgent !== 0 && sent) recv(source, new Uint8Array(1), 1);
    else direction.urgent = true;
  }
}

/** The first segment, which both sockets lie behind: it is sent now unless it had been. */
function sendDirect(flow: TakenFlow, { from, payload }: DirectNote): void {
  const fd = flow.fds[from === CLIENT ? SERVER : CLIENT];
  const begin = (flow.identity.sides[from as Side].isn + 1) >>> 0;
  const { send: next } = readSequence(fd);
  leaveRepair(fd);
  if (next === begin) send(fd, payload, payload.length);
}
