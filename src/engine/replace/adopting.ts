/** A worker of a new engine: copies the flows of a running one, and goes on with them once they are its own. */

import { OtherProcess } from '../../kernel/pidfd.js';
import { close, read } from '../../kernel/socket.js';
import { monotonic } from '../clock.js';
import type { FlowTable } from '../flow-table.js';
import type { Intake } from '../intake.js';
import { type Copied, copyFlows, settleCopied } from '../keep/adoption.js';
import type { PartedRing } from '../parted-ring.js';
import type { TakenFlow } from '../taken.js';
import type { TunWriter } from '../tun-writer.js';
import type { FrozenWorker } from './channel.js';
import { faultPoint } from './fault.js';

const PACKET = 65536;

export class Adopting {
  #copied: Copied = { flows: [], renumbered: false, directs: new Map() };
  /** Copies of the old engine's TUN devices whose packets are for us to see to. */
  readonly #tuns: number[] = [];
  readonly #same: boolean;

  /** Nothing of the old engine's is changed here, nor by `abandon`. Throws with no copy left. */
  constructor(
    readonly table: FlowTable,
    readonly sources: readonly FrozenWorker[],
    readonly workers: number,
  ) {
    this.#same = sources.length === workers;
    try {
      this.#copy();
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  #copy(): void {
    const { table, sources, workers } = this;
    for (const { generation } of sources) table.countOn(generation);
    this.#copied = copyFlows(table, table.kept, sources, workers);
    faultPoint('adopting');
    for (const { pid, worker, tun } of sources) {
      // With another number of workers, packets would come to one that does not follow their connections.
      if (this.#same ? worker !== table.worker : table.worker !== 0) continue;
      const other = new OtherProcess(pid);
      const fd = other.copy(tun);
      other.close();
      if (fd >= 0) this.#tuns.push(fd);
    }
  }

  get count(): number {
    return this.#copied.flows.length;
  }

  /** The flows that go on here. What the tracker has told of them under their old numbers is forgotten: their entries say it. */
  begin(parted: PartedRing): TakenFlow[] {
    return settleCopied(this.table, this.#copied, () => parted.take(() => {}));
  }

  /** What was held for the old engine and not read: decided on here, or forwarded. */
  takeHeld(intake: Intake, tun: TunWriter): void {
    for (const fd of this.#tuns) {
      if (this.#same) intake.takeFrom(fd, monotonic());
      else forwardAll(fd, tun);
      close(fd);
    }
    this.#tuns.length = 0;
  }

  /** The old engine goes on with them. */
  abandon(): void {
    for (const flow of [...this.table.byKey.values()]) this.table.drop(flow);
    for (const fd of this.#tuns) close(fd);
  }
}

function forwardAll(from: number, to: TunWriter): void {
  const packet = new Uint8Array(PACKET);
  for (let length = read(from, packet, PACKET); length > 0; length = read(from, packet, PACKET))
    to.reinject(packet, length);
}
