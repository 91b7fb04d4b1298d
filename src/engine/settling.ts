/** What was decided on a held connection is done: it goes on as it was, or into two sockets. */
import { KernelError } from '../kernel/errors.js';
import { SegmentView } from '../wire/view.js';
import type { CatchingUp } from './catching-up.js';
import { monotonic } from './clock.js';
import type { Counters } from './counters.js';
import { type DirectData, directData } from './direct.js';
import { type FlowTable, TableFull } from './flow-table.js';
import { Has, Live, type WorkerCounter } from './layout.js';
import type { FromWorker } from './messages.js';
import type { Pending } from './pending.js';
import type { Relaying } from './relaying.js';
import type { ReleasePolicy } from './release-policy.js';
import { CLIENT, type Identity, SERVER, type TakenFlow } from './taken.js';
import { EcnLost, Overtaken } from './takeover.js';

export class Settling {
  readonly #view = new SegmentView();

  constructor(
    readonly table: FlowTable,
    readonly relaying: Relaying,
    readonly policy: ReleasePolicy,
    readonly direct: DirectData,
    readonly catchingUp: CatchingUp,
    readonly counters: Counters,
    readonly post: (message: FromWorker) => void,
    readonly reinject: (packet: Uint8Array) => void,
    readonly handOver: (flow: TakenFlow) => void,
  ) {}

  forward({ packets }: Pending, why: WorkerCounter): void {
    // The tracker sees them come back without a taken flow, and from then on forwards by itself.
    for (const packet of packets) this.reinject(packet);
    this.counters.add(why, 1);
  }

  /** `peek`: the sockets are made, and `onTaken` says what then. */
  take(
    pending: Pending,
    decision: 'relay' | 'handle' | 'reset' | 'peek',
    onTaken?: (flow: TakenFlow) => void,
  ): void {
    const { identity, packets } = pending;
    const direct = decision === 'relay' ? directData(identity, packets, this.#view) : null;
    const skip: [number, number] = [0, 0];
    if (direct) skip[direct.from] = direct.payload.length;
    const { kept } = this.table;
    if (direct) kept?.table.noteDirect(kept.worker, identity.key, direct.from, direct.payload);
    else kept?.table.clearDirect(kept.worker);
    let flow: TakenFlow;
    try {
      const action = decision === 'handle' ? 'handle' : 'relay';
      const first = direct ? (direct.from === CLIENT ? SERVER : CLIENT) : null;
      flow = this.table.take(
        identity,
        pending.keyString,
        action,
        skip,
        first,
        decision === 'relay' ? liveOfRelayed(identity) : 0,
      );
    } catch (error) {
      // The tracker has counted it.
      if (error instanceof Overtaken) {
        for (const packet of packets) this.reinject(packet);
        return;
      }
      if (error instanceof TableFull || error instanceof EcnLost) {
        this.forward(pending, error instanceof TableFull ? 'tableFull' : 'ecn');
        return;
      }
      this.#logFailure('takeover failed, the flow is forwarded', error);
      this.forward(pending, 'failed');
      return;
    }
    flow.read = pending.read;
    flow.seen = pending.seen;
    flow.module = pending.module;
    if (decision === 'reset') {
      this.table.abort(flow);
      return;
    }
    if (direct) {
      const sent = this.direct.send(flow, direct);
      kept?.table.clearDirect(kept.worker);
      try {
        this.table.complete(flow, skip);
      } catch (error) {
        this.#logFailure('half a takeover failed, the flow is reset', error);
        for (const packet of packets) this.reinject(packet);
        return;
      }
      if (!sent) this.table.abort(flow);
    } else {
      for (const packet of packets) this.reinject(packet);
      this.catchingUp.begin(flow);
    }
    // After the first bytes are on their way.
    onTaken?.(flow);
    if (decision === 'handle') this.handOver(flow);
    else {
      this.relaying.watch(flow);
      this.policy.watch(flow, pending.release, monotonic());
    }
  }

  #logFailure(what: string, error: unknown): void {
    const failure = error instanceof KernelError ? error : null;
    this.post({
      type: 'log',
      level: 'warn',
      event: 'failed',
      message: `${what}: ${String(error)}`,
      ...(failure ? { syscall: failure.syscall, errno: failure.code } : {}),
    });
  }
}

/**
 * Without timestamps the handshake tells a made socket no round trip, and it begins with what the kernel remembers of that
 * destination (tcp_init_metrics()): so these have to end by themselves, which is when it is remembered (tcp_update_metrics()).
 */
const liveOfRelayed = (identity: Identity): number =>
  Live.ARRIVING | (identity.agreed & Has.TS ? Live.MAY_PART : 0);
