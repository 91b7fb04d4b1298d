/**
 * The relay: bytes from one socket to the other, with the receiver's back-pressure reaching the sender.
 *
 * The first bytes go through one small static buffer, which costs less than two splice(2) calls and a pipe; a direction
 * that fills it is a stream, and from then on its bytes stay in the kernel. What the other side does not take at once
 * waits in a pipe.
 */
import { E } from '../kernel/ffi.js';
import {
  atUrgentMark,
  peekByte,
  recv,
  send,
  sendUrgent,
  setNoDelay,
  shutdownWrite,
  wouldBlock,
  write,
} from '../kernel/socket.js';
import { PIPE_BYTES, PipePool, splice } from '../kernel/splice.js';
import type { Direction, Side, TakenFlow } from './taken.js';

const SMALL = 16384;
const buffer = new Uint8Array(SMALL);
export const pipes = new PipePool();

/** What `pump` found: blocked (an event will come), starved (a pipe may come free), more (call again: none will), ended (its FIN has been sent), or which socket failed. */
type PumpResult = 'blocked' | 'starved' | 'more' | 'ended' | 'sourceFailed' | 'targetFailed';
/** Rounds before other flows get their turn. */
const TURN = 32;

/** Moves what there is from socket `from` to the other. */
export function pump(flow: TakenFlow, from: Side): PumpResult {
  const direction = flow.directions[from];
  const to: Side = from === 0 ? 1 : 0;
  const source = flow.fds[from];
  const target = flow.fds[to];
  if (direction.finSent) return 'ended';
  for (let round = 0; round < TURN; round++) {
    while (direction.queued > 0 && direction.pipe) {
      // A FIN that is known to follow goes in one segment with the last bytes, as in passSmall().
      const n = splice(
        direction.pipe.readEnd,
        target,
        direction.queued,
        flow.kept !== null && direction.finNext,
      );
      if (n <= 0) return wouldBlock(n) ? 'blocked' : 'targetFailed';
      direction.queued -= n;
      direction.bytes += n;
    }
    while (direction.pending) {
      const { pending } = direction;
      const n = direction.pendingUrgent ? sendUrgent(target, pending) : send(target, pending, pending.length);
      if (n < 0) return wouldBlock(n) ? 'blocked' : 'targetFailed';
      direction.bytes += n;
      direction.pendingUrgent = false;
      direction.pending = n === direction.pending.length ? null : direction.pending.subarray(n);
      if (!direction.pending) flow.kept?.settle(flow);
    }
    if (direction.eof) {
      // Behind the error that recv() has reported, a socket that was reset reads as ended: no FIN comes of that.
      if (flow.resetFrom === from) return 'ended';
      if (!flow.directions[to].eof) flow.activeClose[to] = true;
      shutdownWrite(target);
      direction.finSent = true;
      releasePipe(flow, from);
      return 'ended';
    }
    const n = direction.urgent
      ? (flow.kept ? keptToMark : passToMark)(flow, from, source, target)
      : direction.streaming
        ? fillPipe(flow, from, source)
        : passSmall(flow, from, source, target);
    if (n === 0) direction.eof = true;
    else if (n < 0) {
      if (n === -E.EPIPE) return 'targetFailed';
      // No descriptor for a pipe, without which its bytes would be in our memory alone: it waits for one.
      if (n === -E.ENFILE) return 'starved';
      releasePipe(flow, from);
      return wouldBlock(n) ? 'blocked' : 'sourceFailed';
    } else if (n < SMALL && !direction.streaming && !direction.readToEnd && direction.queued === 0) {
      // A short read emptied the queue; what comes later raises a new edge (epoll(7)).
      return 'blocked';
    }
  }
  return 'more';
}

/** The first send has nothing before it to wait for (RFC 9293 section 3.7.4); the second might. */
function sendAtOnce(direction: Direction, target: number): void {
  if (direction.bytes === 0 || direction.noDelay) return;
  setNoDelay(target);
  direction.noDelay = true;
}

function passSmall(flow: TakenFlow, from: Side, source: number, target: number): number {
  const direction = flow.directions[from];
  const n = recv(source, buffer, SMALL);
  if (n <= 0) return n;
  sendAtOnce(direction, target);
  // With the FIN known to follow, both go in one segment: the shutdown comes next and pushes it out.
  const sent = send(target, buffer, n, direction.finNext);
  if (sent < 0 && !wouldBlock(sent)) return -E.EPIPE;
  const done = Math.max(0, sent);
  direction.bytes += done;
  if (done < n) {
    direction.pipe ??= pipes.take();
    // An empty pipe holds at least a page (pipe(7)), usually 64 KiB; what it does not take, or all when there is no
    // descriptor for one, waits here.
    const piped = direction.pipe ? write(direction.pipe.writeEnd, buffer.subarray(done, n), n - done) : 0;
    direction.queued = Math.max(0, piped);
    if (direction.queued < n - done) direction.pending = buffer.slice(done + direction.queued, n);
  }
  if (n === SMALL) direction.streaming = true;
  // The FIN was there before the read, and the read did not fill the buffer: there is nothing behind it.
  else if (direction.finNext) direction.eof = true;
  return n;
}

/**
 * Reads up to the urgent mark, at which the kernel stops by itself, and then the one byte behind it, which goes on with a
 * mark of its own (RFC 9293 section 3.8.5; the mark is on the byte as RFC 6093 section 2.1 has it).
 */
function passToMark(flow: TakenFlow, from: Side, source: number, target: number): number {
  const direction = flow.directions[from];
  if (!atUrgentMark(source)) return passSmall(flow, from, source, target);
  const n = recv(source, buffer, 1);
  if (n <= 0) return n;
  direction.urgent = false;
  sendAtOnce(direction, target);
  const sent = sendUrgent(target, buffer);
  if (sent < 0 && !wouldBlock(sent)) return -E.EPIPE;
  if (sent === 1) direction.bytes++;
  else {
    direction.pending = buffer.slice(0, 1);
    direction.pendingUrgent = true;
  }
  return n;
}

/**
 * The same for a flow that outlives this process, whose bytes must not be in our memory alone: the byte is sent, written down
 * as such, and only then taken from its source.
 */
function keptToMark(flow: TakenFlow, from: Side, source: number, target: number): number {
  const direction = flow.directions[from];
  if (!atUrgentMark(source)) return fillPipe(flow, from, source);
  const peeked = peekByte(source, buffer);
  if (peeked <= 0) return peeked;
  flow.kept?.urgent(flow, from, buffer[0] as number, target);
  sendAtOnce(direction, target);
  const sent = sendUrgent(target, buffer);
  direction.urgentWaits = sent < 0;
  if (sent < 0) {
    flow.kept?.urgentDone(flow, from);
    return wouldBlock(sent) ? sent : -E.EPIPE;
  }
  recv(source, buffer, 1);
  flow.kept?.urgentDone(flow, from);
  direction.bytes++;
  direction.urgent = false;
  return 1;
}

function fillPipe(flow: TakenFlow, from: Side, source: number): number {
  const direction = flow.directions[from];
  if (!direction.pipe) {
    direction.pipe = pipes.take();
    if (!direction.pipe) {
      return flow.kept ? -E.ENFILE : passSmall(flow, from, source, flow.fds[from === 0 ? 1 : 0]);
    }
    flow.kept?.pipe(flow, from);
  }
  sendAtOnce(direction, flow.fds[from === 0 ? 1 : 0]);
  const n = splice(source, direction.pipe.writeEnd, PIPE_BYTES);
  if (n > 0) direction.queued += n;
  return n;
}

/** Gives an empty pipe back; a pipe with bytes in it is closed with them when the flow is gone. */
export function releasePipe(flow: TakenFlow, from: Side): void {
  const direction = flow.directions[from];
  if (!direction.pipe) return;
  const { pipe, queued } = direction;
  direction.pipe = null;
  direction.queued = 0;
  flow.kept?.pipe(flow, from);
  if (queued === 0) pipes.giveBack(pipe);
  else pipes.destroy(pipe);
}
