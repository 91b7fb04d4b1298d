// Sends TCP segments with forged sources, each from another one, by eth0 of its namespace. Argument: JSON with
//   host, port        where to; gateway: link-layer address of the next hop
//   sources           an address; the bits of `random` hosts below it vary: 198.18.0.0 or 2001:db8:f::
//   count             so many, and no more
//   kind              `syn`; `ack`: SYNs, and then for each a third ACK that acknowledges something else, with data behind it;
//                     `data`: data of connections that nobody knows
//   perSecond         at most
// Prints {"sent":frames,"ms":…}.
import { readFileSync } from 'node:fs';
import { FrameBatch, FramePool } from '../../dist/kernel/frame_pool.js';
import { interfaceIndex } from '../../dist/kernel/netdev.js';
import { packetSocket, sendFrames } from '../../dist/kernel/packet_socket.js';
import { Poll } from '../../dist/kernel/ppoll.js';
import { isMapped, parseAddress } from '../../dist/wire/address.js';
import { buildTcpSegment } from '../../dist/wire/segment.js';
import { Flag } from '../../dist/wire/view.js';

const { host, port, gateway, sources, count, kind, perSecond } = JSON.parse(process.argv[2]);
const MOST = 500_000;
const BATCH = 64;
const FRAME = 2048;
const HOSTS = 65_536;
const fd = packetSocket(interfaceIndex('eth0'), 4096);
const pool = new FramePool(BATCH, FRAME);
const batch = new FrameBatch(pool, BATCH);
const rest = new Poll([]);
const mac = (text) => Uint8Array.from(text.trim().split(':'), (part) => Number.parseInt(part, 16));
const own = mac(readFileSync('/sys/class/net/eth0/address', 'utf8'));
const source = parseAddress(sources);
const v4 = isMapped(source);
const link = [...mac(gateway), ...own, ...(v4 ? [0x08, 0x00] : [0x86, 0xdd])];

/** A number that depends on nothing but `i`, so that both segments of one source agree. */
const mixed = (i) => Math.imul(i + 1, 0x9e3779b1) >>> 0;

function put(slot, i, flags, payload) {
  const src = Uint8Array.from(source);
  src[14] = (i % HOSTS) >> 8;
  src[15] = i & 0xff;
  const packet = buildTcpSegment({
    src,
    dst: parseAddress(host),
    sourcePort: 1024 + (mixed(i) % 60_000),
    destinationPort: port,
    seq: flags & Flag.SYN ? mixed(i) : (mixed(i) + 1) >>> 0,
    // What the server has chosen nobody knows here.
    ack: flags & Flag.ACK ? mixed(i + 7) : 0,
    flags,
    window: 65_000,
    ttl: 64,
    tos: 0,
    options: flags & Flag.SYN ? { mss: 1460 } : {},
    payload: payload ? new Uint8Array(payload) : undefined,
  });
  const at = pool.offset(slot);
  pool.bytes.set(link, at);
  pool.bytes.set(packet, at + link.length);
  batch.put(slot, slot, link.length + packet.length);
}

const start = performance.now();
let sent = 0;

function send(n) {
  for (let done = 0; done < n; ) {
    const took = sendFrames(fd, batch, done, n - done);
    if (took > 0) done += took;
    else rest.wait(1);
  }
  sent += n;
  // Never faster than asked.
  while (sent > ((performance.now() - start) / 1000) * perSecond) rest.wait(1);
}

/** All segments of one kind for sources `from` up to `to`. */
function pass(from, to, flags, payload) {
  for (let i = from; i < to; i += BATCH) {
    const n = Math.min(BATCH, to - i);
    for (let slot = 0; slot < n; slot++) put(slot, i + slot, flags, payload);
    send(n);
  }
}

const total = Math.min(count, MOST);
if (kind === 'syn') pass(0, total, Flag.SYN, 0);
else if (kind === 'data') pass(0, total, Flag.ACK | Flag.PSH, 100);
else {
  // In portions, so that the SYN's entry is still there when its ACK comes.
  for (let from = 0; from < total; from += 4096) {
    const to = Math.min(total, from + 4096);
    pass(from, to, Flag.SYN, 0);
    rest.wait(20);
    pass(from, to, Flag.ACK, 0);
    pass(from, to, Flag.ACK | Flag.PSH, 100);
  }
}
console.log(JSON.stringify({ sent, ms: performance.now() - start }));
