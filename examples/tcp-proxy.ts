// A transparent TCP proxy that prints every connection and can make it slow, short or broken. Run it as root on a
// router after `make build` (Node.js 22.18 or newer; with Node.js 20 write `npx tsx` for `node`):
//   node examples/tcp-proxy.ts -i eth0 -i eth1 -p 80 --delay 100 --throttle 50000
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Flow, intercept } from 'desplice';

const { values } = parseArgs({
  options: {
    interface: { type: 'string', short: 'i', multiple: true, default: [] },
    ports: { type: 'string', short: 'p', default: '80' },
    delay: { type: 'string', default: '0' }, // milliseconds that every piece of data waits
    throttle: { type: 'string', default: 'Infinity' }, // bytes a second, each way
    cut: { type: 'string', default: 'Infinity' }, // end the connection (FIN) after so many bytes to the client
    reset: { type: 'string', default: 'Infinity' }, // break it (RST) after so many bytes to the client
  },
});
const delay = Number(values.delay);
const throttle = Number(values.throttle);
const [cut, reset] = [Number(values.cut), Number(values.reset)];

function shape(limit = Infinity, atLimit?: (way: Transform) => void) {
  let room = limit;
  return new Transform({
    async transform(chunk: Buffer, _encoding, done) {
      if (delay > 0) await sleep(delay);
      const piece = Math.min(chunk.length, Math.ceil(throttle / 10));
      for (let at = 0; at < chunk.length && room > 0; at += piece) {
        const bytes = chunk.subarray(at, at + Math.min(piece, room));
        room -= bytes.length;
        this.push(bytes);
        if (room === 0) atLimit?.(this);
        else if (throttle !== Infinity) await sleep((bytes.length / throttle) * 1000);
      }
      done();
    },
  });
}

async function handle(flow: Flow) {
  const name = `${flow.clientAddress.address}:${flow.clientAddress.port} to ${flow.serverAddress.address}`;
  console.log(`${name}: taken; the client offered an MSS of ${flow.handshake.client.mss}`);
  const stop = (way: Transform) => (reset <= cut ? flow.reset() : way.push(null));
  const toServer = pipeline(flow.client, shape(), flow.server);
  const toClient = pipeline(flow.server, shape(Math.min(cut, reset), stop), flow.client);
  const outcome = await Promise.all([toServer, toClient]).catch((error: Error) => error.message);
  console.log(`${name}: ${typeof outcome === 'string' ? outcome : 'over'}`);
}

const interception = intercept({
  interfaces: values.interface,
  rules: [{ ports: values.ports.split(','), action: 'handle' }],
});
process.once('SIGINT', () => interception.close()).once('SIGTERM', () => interception.close());
await interception.ready;
console.log('ready');
for await (const flow of interception) handle(flow);
