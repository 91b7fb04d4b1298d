/** The kernel's entry of a taken flow, changed while packets change it, too: one run of the program `change_flow`. */
import { runProgram } from '../kernel/bpf.js';
import {
  ANY_NUMBER,
  CHANGE_FLOW,
  CHANGE_KEEP,
  FLOW_BYTES,
  FLOW_LIVE,
  FLOW_NEXT,
  FLOW_STAMP,
  Live,
  MORE_HELD,
  SIDE_BYTES,
  SideView,
} from './layout.js';
import { CLIENT, type Identity, type Side } from './taken.js';

export class FlowEntry {
  readonly #order = new Uint8Array(CHANGE_FLOW + FLOW_BYTES);
  readonly #left = new Uint8Array(CHANGE_FLOW + FLOW_BYTES);
  readonly #words = new DataView(this.#order.buffer);
  readonly #flow = new DataView(this.#left.buffer, CHANGE_FLOW);
  readonly #sides = [0, 1].map((side) => new SideView(this.#left, CHANGE_FLOW + side * SIDE_BYTES));
  #clientSide: 0 | 1 = 0;

  constructor(readonly program: number) {}

  /**
   * Takes bits out of `live` and adds others. The rest of this object then says how the entry was left. False: there is
   * none, nothing was changed.
   */
  change(identity: Identity, remove: number, add: number): boolean {
    return this.#run(identity, remove, add, ANY_NUMBER) === 1;
  }

  /** The same, only if `held` segments have gone to the engine. True: they have, or there is no entry. */
  changeIf(held: number, identity: Identity, remove: number, add: number): boolean {
    return this.#run(identity, remove, add, held) !== MORE_HELD;
  }

  #run(identity: Identity, remove: number, add: number, held: number): number {
    this.#order.set(identity.key);
    this.#words.setUint32(CHANGE_KEEP, ~remove, true);
    this.#words.setUint32(CHANGE_KEEP + 4, add, true);
    this.#words.setUint32(CHANGE_KEEP + 8, held, true);
    this.#clientSide = identity.clientSide;
    return runProgram(this.program, this.#order, this.#left).verdict;
  }

  /** The tracker has ended the flow. */
  get parted(): boolean {
    return (this.#flow.getUint32(FLOW_LIVE, true) & Live.PARTED) !== 0;
  }

  #at(side: Side): 0 | 1 {
    return side === CLIENT ? this.#clientSide : this.#clientSide === 0 ? 1 : 0;
  }

  /** The sequence number behind what that end has sent to its socket; 0: nothing since the takeover. */
  next(side: Side): number {
    return this.#flow.getUint32(FLOW_NEXT + 4 * this.#at(side), true);
  }

  /** The last timestamp that our socket has sent in that end's name; 0: none. */
  stamp(side: Side): number {
    return this.#flow.getUint32(FLOW_STAMP + 4 * this.#at(side), true);
  }

  /** By how much that end's timestamp clock, as last seen, is behind what our socket has sent in its name; 0: it is not. */
  clockBehind(side: Side): number {
    const stamp = this.stamp(side);
    if (stamp === 0) return 0;
    return Math.max(0, (stamp - (this.#sides[this.#at(side)] as SideView).tsval) | 0);
  }
}
