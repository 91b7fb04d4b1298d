/**
 * Opens connections that have each had one request answered, and keeps them open and silent: node idle-flows.js ADDRESS
 * PORT PATH COUNT. Prints `open` once all are there; ends at SIGTERM or when its standard input ends.
 */
import net from 'node:net';

const [address = '', port = '', path = '', countText = ''] = process.argv.slice(2);
const count = Number(countText);
const atOnce = 50;

let started = 0;
let answered = 0;
const sockets: net.Socket[] = [];

function fail(message: string): never {
  console.error(`idle-flows: ${message}; ${answered} of ${count} were answered`);
  process.exit(1);
}

function openNext(): void {
  if (started === count) return;
  started += 1;
  const socket = net.connect(Number(port), address);
  sockets.push(socket);
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => fail('a connection was closed'));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  socket.once('data', () => {
    answered += 1;
    if (answered === count) console.log('open');
    openNext();
  });
}

const end = (): void => {
  for (const socket of sockets) socket.removeAllListeners('close').destroy();
  process.exit(0);
};
process.on('SIGTERM', end);
process.stdin.on('end', end).resume();
setTimeout(() => fail('too slow'), 60_000).unref();
for (let i = 0; i < Math.min(atOnce, count); i += 1) openNext();
