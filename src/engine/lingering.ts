/**
 * Sockets that a handler has closed and whose peer has acknowledged the FIN without ever sending its own. The kernel
 * gives such orphans `tcp_fin_timeout`, 60 s; but ours is none for the kernel, since we still hold its descriptor, so
 * TCP_LINGER2 does not apply either.
 */
import { TcpState, tcpState } from '../kernel/tcp_info.js';
import { CLIENT, SERVER, type Side, type TakenFlow } from './taken.js';

export const LINGER_MS = 60_000;

/** Asked for once a turn of the loop, and nearly always this. */
const none: readonly [TakenFlow, Side][] = [];

export class Lingering {
  /** For each side, the flow and its deadline. All wait equally long, so that the order of insertion is that of deadlines. */
  readonly #deadlines: [Map<TakenFlow, number>, Map<TakenFlow, number>] = [new Map(), new Map()];

  /** The socket that faces `side` is in FIN_WAIT2. Once is enough; more often changes nothing. */
  begin(flow: TakenFlow, side: Side, now: number): void {
    if (!this.#deadlines[side].has(flow)) this.#deadlines[side].set(flow, now + LINGER_MS);
  }

  end(flow: TakenFlow): void {
    for (const deadlines of this.#deadlines) deadlines.delete(flow);
  }

  /** Takes out those that have waited long enough, and still do. */
  take(now: number): readonly [TakenFlow, Side][] {
    if (this.#deadlines[CLIENT].size === 0 && this.#deadlines[SERVER].size === 0) return none;
    const late: [TakenFlow, Side][] = [];
    for (const side of [CLIENT, SERVER] as const) {
      for (const [flow, deadline] of this.#deadlines[side]) {
        if (now < deadline) break;
        this.#deadlines[side].delete(flow);
        if (tcpState(flow.fds[side]) === TcpState.FIN_WAIT2) late.push([flow, side]);
      }
    }
    return late;
  }
}
