// A TCP client with manners to choose. Argument: JSON with
//   host, port, flows (1), parallel (= flows); begins none after `forMs`
//   send      so many bytes ...
//   start     ... when: `connect`, `data` (after the server's first byte); `delayMs` later
//   fin       half-closes when: `sent`, `received` (all of `expect`), or `told` (everything is sent, and SIGHUP came)
//   expect    so many bytes of the server's, before its last words
//   pace      {seed, chunk, gapMs, rest}: sends in chunks of up to `chunk` bytes, pausing up to `gapMs` after each; `rest`: see
//             pattern.mjs
//   pauseMs   reads nothing for so long;  sample: record how much was accepted, twice a second
//   reset     resets when everything is sent, `resetMs` later
// Prints one JSON object: {"ok":flows that went right,"failed":{reason:count},"ms":…}, and what there is to know of the first
// flows that went wrong: "wrong":[{"why":reason,"port":its own,"began":ms since the epoch,"ms":it took,…}]
import net from 'node:net';
import { Checker, clientSeed, pattern, reset, send, serverSeed, trailerBytes } from './pattern.mjs';

const options = {
  flows: 1,
  send: 0,
  start: 'connect',
  delayMs: 0,
  fin: 'sent',
  expect: 0,
  pauseMs: 0,
  resetMs: 0,
  forMs: Infinity,
  ...JSON.parse(process.argv[2]),
};
const parallel = options.parallel ?? options.flows;
const hosts = [options.host].flat();
const mine = pattern(clientSeed);
const expected = pattern(serverSeed);
const result = { ok: 0, failed: {}, ms: 0, accepted: [], locals: [], wrong: [] };
const WRONG_TOLD = 10;

let told = false;
const whenTold = [];
process.on('SIGHUP', () => {
  told = true;
  for (const finish of whenTold.splice(0)) finish();
});

function oneFlow(number) {
  return new Promise((resolve) => {
    const host = hosts[number % hosts.length];
    const socket = net.connect({ host, port: options.port, allowHalfOpen: true, noDelay: true });
    const checker = new Checker(expected);
    const began = Date.now();
    let tail = '';
    let port = 0;
    let sent = false;
    let halfClosed = false;
    let started = false;
    const begin = () => {
      if (started) return;
      started = true;
      setTimeout(() => {
        send(socket, mine, options.send, {
          pace: options.pace && { ...options.pace, seed: options.pace.seed + number },
          onAccepted: (n) => {
            socket.accepted = n;
          },
          done: () => {
            sent = true;
            if (options.reset) setTimeout(reset, options.resetMs, socket);
            else finish();
          },
        });
      }, options.delayMs);
    };
    const finish = () => {
      if (halfClosed || !sent || (options.fin === 'received' && checker.received < options.expect)) return;
      if (options.fin === 'told' && !told) {
        whenTold.push(finish);
        return;
      }
      halfClosed = true;
      socket.end();
    };
    socket.on('connect', () => {
      port = socket.localPort;
      if (options.locals) result.locals.push(socket.localPort);
      if (options.start === 'connect') begin();
    });
    socket.on('data', (chunk) => {
      const body = Math.min(chunk.length, options.expect - checker.received);
      checker.add(chunk.subarray(0, body));
      tail += chunk.subarray(body).toString('latin1');
      begin();
      finish();
    });
    if (options.pauseMs > 0) {
      socket.pause();
      setTimeout(() => socket.resume(), options.pauseMs);
    }
    if (options.sample) {
      const samples = [];
      const timer = setInterval(() => samples.push(socket.accepted ?? 0), 500);
      socket.on('close', () => clearInterval(timer));
      result.accepted.push(samples);
    }
    let error = null;
    socket.on('error', (e) => {
      error = e;
    });
    socket.on('close', () => {
      const why = error ? error.code : options.reset ? 'ok' : verdict(checker, tail);
      if (why !== 'ok' && result.wrong.length < WRONG_TOLD) {
        const { received } = checker;
        result.wrong.push({
          why,
          port,
          began,
          ms: Date.now() - began,
          sent,
          halfClosed,
          received,
          tail: tail.length,
        });
      }
      resolve(why);
    });
  });
}

function verdict(checker, tail) {
  if (checker.received !== options.expect) return `received ${checker.received} of ${options.expect}`;
  if (checker.bad >= 0) return `wrong byte at ${checker.bad}`;
  if (tail.length !== trailerBytes) return `last words of ${tail.length} bytes`;
  const { received, bad } = JSON.parse(tail);
  if (received !== options.send) return `server received ${received} of ${options.send}`;
  return bad >= 0 ? `server got a wrong byte at ${bad}` : 'ok';
}

let next = 0;
async function lane() {
  while (next < options.flows && performance.now() - began < options.forMs) {
    const why = await oneFlow(next++);
    if (why === 'ok') result.ok++;
    else result.failed[why] = (result.failed[why] ?? 0) + 1;
  }
}
const began = performance.now();
await Promise.all(Array.from({ length: Math.min(parallel, options.flows) }, lane));
result.ms = Math.round(performance.now() - began);
for (const key of ['accepted', 'locals', 'wrong']) if (result[key].length === 0) delete result[key];
console.log(JSON.stringify(result));
