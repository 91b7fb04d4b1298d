// Many short connections, one after the other in each of a few lanes. Argument: JSON with host (or a list), port,
// flows, parallel, closer (`server` or `client`). Prints {"ok":…,"failed":{…},"ms":…}.
import net from 'node:net';

const { host, port, flows, parallel = 8, closer = 'server' } = JSON.parse(process.argv[2]);
const hosts = [host].flat();
const result = { ok: 0, failed: {}, ms: 0 };
const request = Buffer.alloc(32, 'r');

function oneFlow(number) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: hosts[number % hosts.length], port, noDelay: true });
    let received = 0;
    let error = null;
    const timer = setTimeout(() => {
      error = { code: `stuck after ${received} bytes` };
      socket.destroy();
    }, 10_000);
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (closer === 'client' && received === 100) socket.end();
    });
    socket.on('error', (e) => {
      error = e;
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(error ? error.code : received === 100 ? 'ok' : `received ${received} of 100`);
    });
  });
}

let next = 0;
async function lane() {
  while (next < flows) {
    const why = await oneFlow(next++);
    if (why === 'ok') result.ok++;
    else result.failed[why] = (result.failed[why] ?? 0) + 1;
  }
}
const began = performance.now();
await Promise.all(Array.from({ length: parallel }, lane));
result.ms = Math.round(performance.now() - began);
console.log(JSON.stringify(result));
