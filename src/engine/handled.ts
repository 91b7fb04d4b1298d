/** Flows in a handler's hands: what becomes of a socket when the handler has closed its own. */
import type { Epoll } from '../kernel/epoll.js';
import { hasResetOnClose, shutdownWrite, unread } from '../kernel/socket.js';
import { TcpState, tcpState } from '../kernel/tcp_info.js';
import { monotonic } from './clock.js';
import type { FlowTable } from './flow-table.js';
import { Lingering } from './lingering.js';
import { CLIENT, SERVER, type Side, type TakenFlow } from './taken.js';

export class Handled {
  readonly #lingering = new Lingering();

  constructor(
    readonly epoll: Epoll,
    readonly table: FlowTable,
    readonly clock: () => number = monotonic,
  ) {}

  /** A handler has closed its socket: ours closes as the kernel would have closed it (tcp_close()). */
  orphan(flow: TakenFlow, side: Side): void {
    if (flow.finished || flow.orphaned[side]) return;
    flow.orphaned[side] = true;
    const fd = flow.fds[side];
    if (hasResetOnClose(fd) || unread(fd) > 0) {
      this.table.closeWithReset(flow, side);
    } else {
      shutdownWrite(fd);
      flow.activeClose[side] = true;
      try {
        this.epoll.add(fd, flow.index * 2 + side, flow.generation);
      } catch {
        // No memory for an epoll entry: nobody would hear of its end.
        this.table.closeWithReset(flow, side);
      }
    }
    this.onEvent(flow, side);
  }

  /** Something has happened to the socket that faces `side`, which its handler has closed. */
  onEvent(flow: TakenFlow, side: Side): void {
    if (flow.finished) return;
    const fd = flow.fds[side];
    // Data for somebody who is gone is answered with a reset (RFC 9293 SHLD-3).
    if (fd >= 0 && unread(fd) > 0) this.table.closeWithReset(flow, side);
    else if (fd >= 0 && tcpState(fd) === TcpState.FIN_WAIT2) this.#lingering.begin(flow, side, this.clock());
    const gone = (s: Side) =>
      flow.orphaned[s] && (flow.fds[s] < 0 || tcpState(flow.fds[s]) === TcpState.CLOSE);
    if (!gone(CLIENT) || !gone(SERVER)) return;
    this.table.counters.add(flow.fds[0] < 0 || flow.fds[1] < 0 ? 'reset' : 'closed', 1);
    this.#lingering.end(flow);
    this.table.finish(flow);
  }

  /** Once a turn of the loop. */
  settle(now: number): void {
    for (const [flow, side] of this.#lingering.take(now)) {
      if (flow.finished) continue;
      this.table.closeWithReset(flow, side);
      this.onEvent(flow, side);
    }
  }
}
