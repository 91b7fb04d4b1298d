/**
 * The program that is a shaped link: it moves frames between the two interfaces of its namespace as their conditions say. It
 * never enters the event loop, so SIGTERM ends it at once; all that it has goes with its descriptors.
 */
import { setPriority } from 'node:os';
import { FrameBatch, FramePool } from '../kernel/frame_pool.js';
import { interfaceIndex } from '../kernel/netdev.js';
import { packetSocket, receiveFrames, sendFrames } from '../kernel/packet_socket.js';
import { Poll, setTimerSlack } from '../kernel/ppoll.js';
import type { LinkConditions } from './conditions.js';
import { OneWay } from './one-way.js';
import { isUpkeep } from './upkeep.js';

const BATCH = 64;
/** Frames under way in one direction: at 1500 bytes and 1 Gbit/s, 800 ms. */
const POOL_BYTES = 1 << 27;
const RECEIVE_BUFFER = 1 << 25;
const TURNS = 16;
const REST_MS = 0.05;

/** One direction: frames in by one socket, out by the other. */
class Pump {
  readonly #pool: FramePool;
  readonly #in: FrameBatch;
  readonly #out: FrameBatch;
  readonly way: OneWay;
  #waiting = 0;

  constructor(
    readonly from: number,
    readonly to: number,
    link: LinkConditions,
    direction: 'toServer' | 'toClient',
  ) {
    // Ethernet's header and a VLAN tag before the packet; a power of two lets frames start at even places.
    const frameBytes = 2 ** Math.ceil(Math.log2(link.mtu + 18));
    const room = POOL_BYTES / frameBytes;
    this.#pool = new FramePool(room, frameBytes);
    this.#in = new FrameBatch(this.#pool, BATCH);
    this.#out = new FrameBatch(this.#pool, BATCH);
    this.way = new OneWay(link[direction], room);
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
    if (length < 0 || pool.free === 0) return;
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
      // A frame that is refused is lost, as on a wire whose other end is gone; the rest is tried.
      first += Math.max(1, sendFrames(this.to, this.#out, first, count - first));
    }
    for (let i = 0; i < count; i++) this.#pool.release(this.#out.frames[i] as number);
    this.#waiting = 0;
  }
}

function main(): void {
  const link = JSON.parse(process.argv[2] ?? '') as LinkConditions;
  // It is the wire: what it is late, every packet is late. Refused in some containers, and not needed for it to work.
  try {
    setPriority(-10);
  } catch {}
  setTimerSlack(1000);
  const client = packetSocket(interfaceIndex('toclient'), RECEIVE_BUFFER);
  const server = packetSocket(interfaceIndex('toserver'), RECEIVE_BUFFER);
  const pumps = [
    new Pump(client, server, link, 'toServer'),
    new Pump(server, client, link, 'toClient'),
  ] as const;
  const poll = new Poll([client, server]);
  console.log('ready');
  const rest = new Poll([]);
  let woken = performance.now();
  for (;;) {
    const wait = Math.min(pumps[0].way.next(), pumps[1].way.next()) - performance.now();
    if (performance.now() - woken < REST_MS) rest.wait(REST_MS);
    poll.wait(Math.max(0, wait));
    woken = performance.now();
    for (let i = 0; i < 2; i++) {
      const pump = pumps[i] as Pump;
      if (!poll.ready(i)) continue;
      for (let turn = 0; turn < TURNS && pump.receive(performance.now()); turn++) pump.send(performance.now());
    }
    const now = performance.now();
    pumps[0].send(now);
    pumps[1].send(now);
  }
}

main();
