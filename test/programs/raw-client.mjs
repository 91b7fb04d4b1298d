// A TCP client that makes its frames itself, for segments in an order, or in frames, that no kernel sends. It talks to an
// echo server. Argument: JSON with
//   host, port
//   source    an address on the client's link that nobody has, so that no kernel answers for it
//   segments  so many segments of data (1), of `bytes` each (100)
//   order     what follows the SYN-ACK: `ack`, or the number of a segment; segments carry the ACK, too
//   tags      the TPIDs of 802.1Q tags around each frame: [0x8100]
// What is not acknowledged within 200 ms is sent again. Prints {"ok":true or what was wrong,"resent":segments}.
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { parseAddress } from '../../dist/wire/address.js';
import { buildTcpSegment } from '../../dist/wire/segment.js';
import { Flag, SegmentView } from '../../dist/wire/view.js';

const options = { segments: 1, bytes: 100, order: ['ack', 0], tags: [], ...JSON.parse(process.argv[2]) };
const DEADLINE_MS = 15_000;
const AGAIN_MS = 200;
const ETH_P_ALL = 0x0003;
const MSG_DONTWAIT = 0x40;
const own = mac(readFileSync('/sys/class/net/eth0/address', 'utf8'));
const link = openLink();
const source = parseAddress(options.source);
const host = parseAddress(options.host);
const sourcePort = 40_000 + (process.pid % 10_000);
const isn = (process.pid * 7919) >>> 0;
const data = Buffer.from(Array.from({ length: options.segments * options.bytes }, (_, i) => (i * 31) & 0xff));

function mac(text) {
  return Uint8Array.from(text.trim().split(':'), (part) => Number.parseInt(part, 16));
}

function openLink() {
  const libc = koffi.load('libc.so.6');
  const check = (result, what) => {
    if (result < 0) throw new Error(`${what}: errno ${koffi.errno()}`);
    return result;
  };
  const fd = check(
    libc.func('int socket(int, int, int)')(17, 3, ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8)),
    'socket AF_PACKET',
  );
  const address = Buffer.alloc(20);
  address.writeUInt16LE(17, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(Number(readFileSync('/sys/class/net/eth0/ifindex', 'utf8')), 4);
  check(libc.func('int bind(int, void *, uint)')(fd, address, 20), 'bind eth0');
  const send = libc.func('int64_t send(int, void *, size_t, int)');
  const recv = libc.func('int64_t recv(int, void *, size_t, int)');
  const buffer = new Uint8Array(70_000);
  return {
    send: (frame) => check(send(fd, frame, frame.length, 0), 'send'),
    /** The next frame, or null. */
    receive() {
      const n = Number(recv(fd, buffer, buffer.length, MSG_DONTWAIT));
      return n < 0 ? null : buffer.subarray(0, n);
    },
  };
}

const view = new SegmentView();
const gateway = mac(options.gateway);
let next = isn; // the oldest byte that is not acknowledged
let expected = 0; // the next byte of the server's
let echoed = Buffer.alloc(0);
let resent = 0;
let serverEnded = false;

function segment(flags, seq, payload) {
  const syn = flags & Flag.SYN;
  const packet = buildTcpSegment({
    src: source,
    dst: host,
    sourcePort,
    destinationPort: options.port,
    seq: seq >>> 0,
    ack: syn ? 0 : expected,
    flags: syn ? flags : flags | Flag.ACK,
    window: 65_535,
    ttl: 64,
    tos: 0,
    options: syn ? { mss: 1460 } : {},
    payload,
  });
  const type = packet[0] >> 4 === 4 ? 0x0800 : 0x86dd;
  const u16 = (value) => [value >> 8, value & 0xff];
  // VID 0 is a priority tag: the receiver needs no VLAN device for it.
  const tags = options.tags.flatMap((kind) => [...u16(kind), 0, 0]);
  link.send(Uint8Array.from([...gateway, ...own, ...tags, ...u16(type), ...packet]));
}

const sendData = (i) =>
  segment(Flag.PSH, isn + 1 + i * options.bytes, data.subarray(i * options.bytes, (i + 1) * options.bytes));

/** Takes in what has come. Returns the flags of the segments. */
function listen() {
  let flags = 0;
  for (let frame = link.receive(); frame; frame = link.receive()) {
    const packet = frame.subarray(14);
    if (!view.parse(packet, packet.length)) continue;
    if (view.destinationPort !== sourcePort || view.sourcePort !== options.port) continue;
    flags |= view.flags;
    if (view.flags & Flag.SYN) {
      expected = (view.sequence + 1) >>> 0;
      next = view.acknowledgement;
      continue;
    }
    if ((view.acknowledgement - next) | 0) next = view.acknowledgement;
    if (view.sequence !== expected) continue;
    const payload = packet.subarray(view.payloadOffset, view.payloadOffset + view.payloadLength);
    echoed = Buffer.concat([echoed, payload]);
    expected = (expected + payload.length) >>> 0;
    if (view.flags & Flag.FIN) {
      serverEnded = true;
      expected = (expected + 1) >>> 0;
    }
    if (payload.length > 0 || view.flags & Flag.FIN) segment(0, next);
  }
  return flags;
}

const deadline = performance.now() + DEADLINE_MS;
async function until(what, done, again) {
  let last = performance.now();
  for (let flags = listen(); !done(flags); flags = listen()) {
    if (flags & Flag.RST) throw new Error(`a reset while waiting for ${what}`);
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    if (again && performance.now() - last > AGAIN_MS) {
      again();
      last = performance.now();
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function talk() {
  segment(Flag.SYN, isn);
  await until('the SYN-ACK', (flags) => flags & Flag.SYN);
  if (next !== (isn + 1) >>> 0) throw new Error('the SYN-ACK acknowledges something else');
  for (const what of options.order) {
    if (what === 'ack') segment(0, isn + 1);
    else sendData(what);
  }
  console.log('{"sent":true}');
  await until(
    'the echo',
    () => echoed.length >= data.length,
    () => {
      for (let i = 0; i < options.segments; i++) {
        if (((isn + 1 + (i + 1) * options.bytes - next) | 0) <= 0) continue;
        sendData(i);
        resent++;
      }
    },
  );
  if (!echoed.equals(data)) throw new Error(`the echo differs (${echoed.length} bytes)`);
  const fin = isn + 1 + data.length;
  segment(Flag.FIN, fin);
  await until('the FIN', () => serverEnded);
  if (next !== (fin + 1) >>> 0) throw new Error('our FIN was not acknowledged');
}

try {
  await talk();
  console.log(JSON.stringify({ ok: true, resent }));
} catch (error) {
  console.log(JSON.stringify({ ok: error.message, resent }));
}
process.exit();
