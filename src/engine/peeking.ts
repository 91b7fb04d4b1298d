/**
 * Flows whose first bytes do not tell while they are held: their sockets are made, so that the end that speaks may go on, and
 * what has come is looked at where it lies (MSG_PEEK) until it tells. Nothing is read and nothing passes before that, so
 * that every outcome is still open.
 */

import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLRDHUP } from '../kernel/epoll.js';
import { peekBytes } from '../kernel/socket.js';
import { Peeker, peekLimit, peekTimeoutMs, type Seen } from '../peek/peek.js';
import { type CompiledPeek, decideByNames, type Then } from '../policy/clauses.js';
import { CLIENT, type Side, type TakenFlow } from './taken.js';

interface Look {
  from: Side;
  peek: CompiledPeek;
  peeker: Peeker;
  /** Bytes that the peeker has got. */
  fed: number;
  deadline: number;
  /** What has happened meanwhile to the socket that faces each side. */
  events: [number, number];
}

const buffer = new Uint8Array(peekLimit);

export class Peeking {
  /** All may take equally long, so that the order of insertion is that of deadlines. */
  readonly #looks = new Map<TakenFlow, Look>();

  constructor(
    /** What becomes of the flow, and what had happened meanwhile to its two sockets. */
    readonly decided: (flow: TakenFlow, seen: Seen, then: Then, events: readonly [number, number]) => void,
  ) {}

  /** Both sockets are made, and watched. `from` spoke first. */
  begin(flow: TakenFlow, from: Side, peek: CompiledPeek, now: number): void {
    flow.state = 'peek';
    const peeker = new Peeker(from === CLIENT ? 'client' : 'server');
    const deadline = now + peekTimeoutMs;
    this.#looks.set(flow, { from, peek, peeker, fed: 0, deadline, events: [0, 0] });
  }

  onEvent(flow: TakenFlow, side: Side, events: number): void {
    const look = this.#looks.get(flow);
    if (!look) return;
    look.events[side] |= events;
    // A reset, from either end: there will be no more.
    const over =
      (events & (EPOLLERR | EPOLLHUP)) !== 0 || (side === look.from && (events & EPOLLRDHUP) !== 0);
    if (side === look.from && events & EPOLLIN) this.#look(flow, look);
    if (over && this.#looks.has(flow)) this.#decide(flow, look, look.peeker.end());
  }

  #look(flow: TakenFlow, look: Look): void {
    const n = peekBytes(flow.fds[look.from], buffer, peekLimit);
    if (n <= look.fed) return;
    const seen = look.peeker.feed(buffer.subarray(look.fed, n));
    look.fed = n;
    if (seen !== 'more') this.#decide(flow, look, seen);
  }

  #decide(flow: TakenFlow, look: Look, seen: Seen): void {
    this.#looks.delete(flow);
    this.decided(flow, seen, decideByNames(look.peek, seen), look.events);
  }

  /** Nobody will act on what is seen any more: all that are looked at go back to forwarding, or are relayed. */
  stop(action: 'release' | 'relay'): void {
    for (const [flow, { events, peeker }] of this.#looks) {
      this.#looks.delete(flow);
      this.decided(flow, peeker.end(), { action, module: null, release: null }, events);
    }
  }

  /** Milliseconds until one has taken too long; -1: none is looked at. */
  nextDue(now: number): number {
    if (this.#looks.size === 0) return -1;
    const [first] = this.#looks.values();
    return Math.max(0, (first as Look).deadline - now);
  }

  /** Once a turn of the loop. */
  settle(now: number): void {
    if (this.#looks.size === 0) return;
    for (const [flow, look] of this.#looks) {
      if (flow.finished) this.#looks.delete(flow);
      else if (look.deadline > now) return;
      else this.#decide(flow, look, look.peeker.end());
    }
  }
}
