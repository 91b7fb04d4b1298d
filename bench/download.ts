/**
 * Downloads without end on a few connections: node download.js ADDRESS PORT PATH BYTES FLOWS, where PATH is a file of BYTES. Prints
 * `moving` when each has got a file's worth. For each number of seconds on standard input prints {"bytes":…,"ms":…}, what came
 * on all of them together meanwhile. Ends at SIGTERM or when its standard input ends.
 */
import net from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const [address = '', port = '', path = '', bytesText = '', flowsText = ''] = process.argv.slice(2);
const fileBytes = Number(bytesText);
const flows = Number(flowsText);
/** Requests that are always out: the server never waits for the next one. */
const ahead = 3;
const request = `GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`;

let moving = 0;
let total = 0;

function fail(message: string): never {
  console.error(`download: ${message}`);
  process.exit(1);
}

function open(): void {
  let received = 0;
  let asked = ahead;
  const onread = {
    // Read into again and again: what is measured is the way, not the garbage collector.
    buffer: Buffer.allocUnsafe(1 << 20),
    callback(length: number): boolean {
      const before = received;
      received += length;
      total += length;
      if (before < fileBytes && received >= fileBytes && ++moving === flows) console.log('moving');
      // Headers make this a little too often, never too seldom.
      for (; asked * fileBytes < received + ahead * fileBytes; asked += 1) socket.write(request);
      return true;
    },
  };
  const socket = net.connect({ host: address, port: Number(port), noDelay: true, onread });
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => fail('a connection was closed'));
  socket.write(request.repeat(ahead));
}

for (let i = 0; i < flows; i += 1) open();
process.on('SIGTERM', () => process.exit(0));
const orders = createInterface({ input: process.stdin });
orders.on('close', () => process.exit(0));
orders.on('line', async (seconds) => {
  const [began, before] = [performance.now(), total];
  await sleep(Number(seconds) * 1000);
  console.log(JSON.stringify({ bytes: total - before, ms: performance.now() - began }));
});
