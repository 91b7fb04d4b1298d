/** A worker's half of what survives it: writes down which descriptors belong to which flow, each time before it matters. */
import { payloadSent } from '../../kernel/tcp_info.js';
import { CLIENT, SERVER, type Side, type TakenFlow } from '../taken.js';
import { type KeptTable, Slot, SlotState } from './table.js';

export class KeptFlows {
  constructor(
    readonly table: KeptTable,
    readonly worker: number,
  ) {}

  #at(flow: TakenFlow): number {
    return this.table.at(this.worker, flow.index);
  }

  /** To be called when both sockets are made, and before the kernel is told that the flow is ours. */
  put(flow: TakenFlow): void {
    this.write(flow, flow.action === 'handle' ? SlotState.HANDLE : SlotState.RELAY);
    flow.kept = this;
  }

  /** The same for once. */
  write(flow: TakenFlow, state: number): void {
    const at = this.#at(flow);
    const { words, bytes } = this.table;
    words.setUint32(at + Slot.generation, flow.generation, true);
    words.setInt32(at + Slot.sockets, flow.fds[CLIENT], true);
    words.setInt32(at + Slot.sockets + 4, flow.fds[SERVER], true);
    words.setFloat64(at + Slot.started, flow.started, true);
    bytes.set(flow.identity.key, at + Slot.key);
    bytes.set(flow.identity.handshake, at + Slot.handshake);
    for (const from of [CLIENT, SERVER] as const) {
      this.pipe(flow, from);
      this.urgentDone(flow, from);
    }
    this.table.setState(at, state);
  }

  /** Marks one that is written down as not to be handed over, or as relayed again. */
  mark(flow: TakenFlow, staying: boolean): void {
    const [from, to] = staying ? [SlotState.RELAY, SlotState.STAYING] : [SlotState.STAYING, SlotState.RELAY];
    const at = this.#at(flow);
    if (this.table.state(at) === from) this.table.setState(at, to);
  }

  /** The direction has another pipe, or none: to be called while it is empty. */
  pipe(flow: TakenFlow, from: Side): void {
    const at = this.#at(flow) + Slot.pipes + 8 * from;
    const { pipe } = flow.directions[from];
    this.table.words.setInt32(at, pipe ? pipe.readEnd : -1, true);
    this.table.words.setInt32(at + 4, pipe ? pipe.writeEnd : -1, true);
  }

  /** It is relayed from now on, if nothing of what its handler had read is left in our memory. */
  settle(flow: TakenFlow): void {
    if (flow.state !== 'relay' || flow.directions[CLIENT].pending || flow.directions[SERVER].pending) return;
    this.table.setState(this.#at(flow), SlotState.RELAY);
  }

  /** Its descriptors are nobody's now. */
  clear(flow: TakenFlow): void {
    this.table.setState(this.#at(flow), SlotState.FREE);
    flow.kept = null;
  }

  /** `byte` is about to be sent with a mark, and only then taken from its source. */
  urgent(flow: TakenFlow, from: Side, byte: number, target: number): void {
    const at = this.#at(flow);
    this.table.words.setFloat64(at + Slot.urgentAt + 8 * from, Math.max(0, payloadSent(target, true)), true);
    this.table.words.setUint32(at + Slot.urgent + 4 * from, 256 + byte, true);
  }
  urgentDone(flow: TakenFlow, from: Side): void {
    this.table.words.setUint32(this.#at(flow) + Slot.urgent + 4 * from, 0, true);
  }
}
