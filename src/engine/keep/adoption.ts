/** A worker takes its flows out of the keepers of the engine before it: descriptors by copy, all else from kernel state. */
import { unshareFiles } from '../../kernel/holder.js';
import { OtherProcess } from '../../kernel/pidfd.js';
import { leaveRepair, readSequence } from '../../kernel/repair.js';
import { atUrgentMark, close, recv, send } from '../../kernel/socket.js';
import { pipeBytes } from '../../kernel/splice.js';
import { payloadSent } from '../../kernel/tcp_info.js';
import type { FlowTable } from '../flow-table.js';
import { Live } from '../layout.js';
import { CLIENT, SERVER, type Side, TakenFlow } from '../taken.js';
import { dropUnshared } from './private-files.js';
import { identityAt } from './survey.js';
import { type DirectNote, KeptTable, Slot, SlotState, workerOf } from './table.js';
import type { KeptFlows } from './writer.js';

/** What the main thread tells a worker of one that keeps. */
export interface KeepData {
  /** Descriptor of the table. */
  memfd: number;
  workers: number;
  /** By worker of the engine before: the process that keeps its descriptors, and its table in there. */
  keepers: { pid: number; worker: number; memfd: number }[];
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

/** Fills `table` with the flows that belong to this worker. Nothing of theirs is moved yet. */
export function adoptFlows(table: FlowTable, kept: KeptFlows, { keepers, workers }: KeepData): TakenFlow[] {
  const adopted: TakenFlow[] = [];
  for (const { pid, worker, memfd } of keepers) {
    const keeper = new OtherProcess(pid);
    const copied = keeper.copy(memfd);
    const before = KeptTable.open(copied);
    close(copied);
    if (!before) continue;
    const direct = before.direct(worker);
    // A number of workers that has changed changes whose flows they are; then they are numbered anew.
    const same = before.workers === workers;
    for (let index = 0; index < before.slots; index++) {
      const at = before.at(worker, index);
      if (before.state(at) !== SlotState.RELAY) continue;
      const identity = identityAt(before, at);
      if (workerOf(identity.key, workers) !== kept.worker) continue;
      const generation = before.words.getUint32(at + Slot.generation, true);
      const keyString = Buffer.from(identity.key).toString('latin1');
      const place = same ? { index, generation } : table.place();
      const flow = new TakenFlow(kept.worker, place.index, place.generation, keyString, identity, 'relay');
      flow.started = before.words.getFloat64(at + Slot.started, true);
      for (const side of [CLIENT, SERVER] as const) {
        flow.fds[side] = keeper.copy(before.words.getInt32(at + Slot.sockets + 4 * side, true));
      }
      for (const from of [CLIENT, SERVER] as const) restore(flow, from, before, at, keeper);
      kept.put(flow);
      table.adopt(flow);
      // It may have been half way into forwarding, or what was held for it is lost, and comes again.
      // The tracker would end it under its old number.
      const renumbered = same ? 0 : Live.MAY_PART;
      table.entry.change(identity, Live.CATCHING_UP | Live.RELEASING | renumbered, Live.SIDES);
      if (table.entry.parted) {
        table.part(flow);
        continue;
      }
      if (direct && identity.key.every((byte, i) => byte === direct.key[i])) sendDirect(flow, direct);
      adopted.push(flow);
    }
    keeper.close();
  }
  table.renumber();
  return adopted;
}

/** What is in transit from `from` to the other end, and on which socket. */
function restore(flow: TakenFlow, from: Side, before: KeptTable, at: number, keeper: OtherProcess): void {
  const direction = flow.directions[from];
  const [source, target] = [flow.fds[from], flow.fds[from === CLIENT ? SERVER : CLIENT]];
  // It was being released: a socket in repair mode sends nothing.
  leaveRepair(source);
  const pipe = at + Slot.pipes + 8 * from;
  const [readEnd, writeEnd] = [0, 4].map((offset) => keeper.copy(before.words.getInt32(pipe + offset, true)));
  if (readEnd !== undefined && writeEnd !== undefined && readEnd >= 0 && writeEnd >= 0) {
    direction.pipe = { readEnd, writeEnd };
    direction.queued = pipeBytes(readEnd);
  }
  direction.streaming = true;
  direction.bytes = payloadSent(target, true);
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
