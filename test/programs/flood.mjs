// Sends frames of an experimental protocol, which no stack listens to, by one interface: {"device":"eth0","perSecond":N,
// "seconds":S,"bytes":B}. Prints how many went and how long it took, and what the interface received meanwhile.
import { readFileSync } from 'node:fs';
import { FrameBatch, FramePool } from '../../dist/kernel/frame_pool.js';
import { interfaceIndex } from '../../dist/kernel/netdev.js';
import { packetSocket, sendFrames } from '../../dist/kernel/packet_socket.js';
import { Poll } from '../../dist/kernel/ppoll.js';

const { device, perSecond, seconds, bytes = 100 } = JSON.parse(process.argv[2]);
const batchSize = 32;
// ETH_P_ALL would hear all that comes in as well; a full receive buffer costs nothing further.
const fd = packetSocket(interfaceIndex(device), 4096);
const pool = new FramePool(1, 2048);
const frame = Buffer.from(pool.bytes.buffer, 0, bytes);
frame.fill(0xff, 0, 6); // A unicast address would have to be looked up; broadcast goes as well.
frame.writeUInt16BE(0x0200, 6);
frame.writeUInt16BE(0x88b5, 12);
const batch = new FrameBatch(pool, batchSize);
for (let i = 0; i < batchSize; i++) batch.put(i, 0, bytes);
const rest = new Poll([]);
const count = (what) =>
  Number(
    readFileSync(`/proc/net/dev`, 'utf8')
      .match(new RegExp(`${device}:(.*)`))[1]
      .trim()
      .split(/\s+/)[what],
  );

const before = count(1);
const start = performance.now();
let sent = 0;
while (performance.now() - start < seconds * 1000) {
  const due = Math.floor(((performance.now() - start) / 1000) * perSecond);
  while (sent + batchSize <= due) sent += Math.max(0, sendFrames(fd, batch, 0, batchSize));
  rest.wait(0.2);
}
const ms = performance.now() - start;
rest.wait(500);
console.log(JSON.stringify({ sent, ms, received: count(1) - before }));
