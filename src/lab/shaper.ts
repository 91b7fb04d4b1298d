/**
 * The program that is a shaped link: it moves frames between the two interfaces of its namespace as their conditions say. It
 * never enters the event loop, so SIGTERM ends it at once; all that it has goes with its descriptors.
 */
import { writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { FrameBatch, FramePool } from '../kernel/frame_pool.js';
import { interfaceIndex } from '../kernel/netdev.js';
import { missedFrames, packetSocket, receiveFrames, sendFrames } from '../kernel/packet_socket.js';
import { Poll, setTimerSlack } from '../kernel/ppoll.js';
import type { Direction, LinkConditions, Side } from './conditions.js';
import type { WayCounts, WireCounts } from './counts.js';
import { OneWay } from './one-way.js';
import { isUpkeep } from './upkeep.js';

const BATCH = 64;
/** Frames under way in one direction: at 1500 bytes and 1 Gbit/s, 800 ms. */
const POOL_BYTES = 1 << 27;
const RECEIVE_BUFFER = 1 << 25;
const TURNS = 16;
const REPORT_MS = 100;
const REST_MS = 0.05;

/** One direction: frames in by one socket, out by the other. */
class Pump {
  readonly #pool: FramePool;
  readonly #in: FrameBatch;
  readonly #out: FrameBatch;
  readonly way: OneWay;
  #waiting = 0;
  #refused = 0;
  #missed = 0;

  constructor(
    readonly from: number,
    readonly to: number,
    link: LinkConditions,
    direction: Direction,
    place: number,
  ) {
    // Ethernet's header and a VLAN tag before the packet; a power of two lets frames start at even places.
    const frameBytes = 2 ** Math.ceil(Math.log2(link.mtu + 18));
    const room = POOL_BYTES / frameBytes;
    this.#pool = new FramePool(room, frameBytes);
    this.#in = new FrameBatch(this.#pool, BATCH);
    this.#out = new FrameBatch(this.#pool, BATCH);
    this.way = new OneWay(link[direction], room, place);
    for (let i = 0; i < BATCH; i++) this.#in.put(i, this.#pool.take(), frameBytes);
  }

  /** Returns whether there may be more. */
  receive(now: number): boolean {
    const n = receiveFrames(this.from, this.#in);
    for (let i = 0; i < n; i++) this.#enter(i, now);
    return n === BATCH;
  }

  #enter(i: number, now: number): void {
    const pool = this.#pool;
    const frame = this.#in.frames[i] as number;
    const length = this.#in.received(i);
    // Without a frame to put in its place this one cannot be kept.
    if (length < 0 || pool.free === 0) {
      this.#missed++;
      return;
    }
    pool.lengths[frame] = length;
    if (isUpkeep(pool.bytes, pool.offset(frame), length)) {
      pool.retain(frame, 1);
      this.#queue(frame);
    } else {
      const copies = this.way.enter(now, frame, length);
      if (copies === 0) return;
      pool.retain(frame, copies);
    }
    this.#in.put(i, pool.take(), pool.frameBytes);
  }

  send(now: number): void {
    for (let frame = this.way.leave(now); frame >= 0; frame = this.way.leave(now)) this.#queue(frame);
    this.#flush();
  }

  #queue(frame: number): void {
    this.#out.put(this.#waiting++, frame, this.#pool.lengths[frame] as number);
    if (this.#waiting === BATCH) this.#flush();
  }

  #flush(): void {
    const count = this.#waiting;
    if (count === 0) return;
    for (let first = 0; first < count; ) {
      const n = sendFrames(this.to, this.#out, first, count - first);
      // A frame that is refused is lost, as on a wire whose other end is gone; the rest is tried.
      if (n <= 0) this.#refused++;
      first += Math.max(1, n);
    }
    for (let i = 0; i < count; i++) this.#pool.release(this.#out.frames[i] as number);
    this.#waiting = 0;
  }

  report(): WayCounts {
    this.#missed += missedFrames(this.from);
    return { ...this.way.counts, missed: this.#missed, refused: this.#refused };
  }
}

interface Task {
  side: Side;
  link: LinkConditions;
}

function main(): void {
  const { side, link } = JSON.parse(process.argv[2] ?? '') as Task;
  // It is the wire: what it is late, every packet is late. Refused in some containers, and not needed for it to work.
  try {
    setPriority(-10);
  } catch {}
  setTimerSlack(1000);
  const client = packetSocket(interfaceIndex('toclient'), RECEIVE_BUFFER);
  const server = packetSocket(interfaceIndex('toserver'), RECEIVE_BUFFER);
  const place = side === 'client' ? 0 : 2;
  const toServer = new Pump(client, server, link, 'toServer', place);
  const toClient = new Pump(server, client, link, 'toClient', place + 1);
  report({ toServer: toServer.report(), toClient: toClient.report() });
  move(toServer, toClient);
}

function move(toServer: Pump, toClient: Pump): never {
  const pumps = [toServer, toClient];
  const poll = new Poll([toServer.from, toClient.from]);
  const rest = new Poll([]);
  let woken = performance.now();
  let reported = woken;
  let reportedPackets = 0;
  for (;;) {
    // Woken again at once: there is much to do, and a batch costs less than its frames one by one.
    if (performance.now() - woken < REST_MS) rest.wait(REST_MS);
    const packets = toServer.way.counts.packets + toClient.way.counts.packets;
    let until = Math.min(toServer.way.next(), toClient.way.next());
    if (packets !== reportedPackets) until = Math.min(until, reported + REPORT_MS);
    poll.wait(Math.max(0, until - performance.now()));
    woken = performance.now();
    for (let i = 0; i < pumps.length; i++) {
      const pump = pumps[i] as Pump;
      if (!poll.ready(i)) continue;
      for (let turn = 0; turn < TURNS && pump.receive(performance.now()); turn++)
        pump.send(performance.now());
    }
    toServer.send(performance.now());
    toClient.send(performance.now());
    if (packets !== reportedPackets && woken >= reported + REPORT_MS) {
      reportedPackets = packets;
      reported = woken;
      report({ toServer: toServer.report(), toClient: toClient.report() });
    }
  }
}

/** Over what was there: a count never gets shorter. `path.ts` reads it from outside. */
function report(counts: WireCounts): void {
  writeSync(1, `ready\n${JSON.stringify(counts)}\n`, 0);
}

main();
