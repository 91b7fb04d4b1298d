// A program on the library, in the middle: what it does with each flow is named by `mode`. Prints the counters on SIGUSR2;
// the decisions of the mode `gate` wait for SIGHUP.
import { intercept } from '../../dist/index.js';

const { port, mode, decideTimeoutMs } = JSON.parse(process.argv[2]);
const seen = [];
const logged = [];
const gate = new Promise((resolve) => process.once('SIGHUP', () => resolve('relay')));

const decides = {
  forward: () => 'forward',
  later: () => new Promise((resolve) => setTimeout(() => resolve('relay'), 300)),
  never: () => new Promise(() => {}),
  gate: () => {
    seen.push({});
    return gate;
  },
  reset: () => 'reset',
  nonsense: () => 'relais',
  throws: () => {
    throw new Error('on purpose');
  },
  peek: (candidate) => {
    seen.push({
      from: candidate.from,
      bytes: Buffer.from(candidate.bytes).toString('latin1').slice(0, 8),
      mss: candidate.handshake.client.mss,
      server: `${candidate.server.address}:${candidate.server.port}`,
    });
    return 'relay';
  },
  module: new URL('./decide-forward.mjs', import.meta.url),
};

const handles = {
  pipe: (flow) => {
    flow.client.pipe(flow.server);
    flow.server.pipe(flow.client);
  },
  // Reads the first chunk itself, passes it on, and gives the rest to the relay.
  giveBack: (flow) => {
    flow.client.once('data', async (chunk) => {
      flow.client.pause();
      flow.server.write(chunk);
      await flow.relay();
    });
  },
  // Gives it away with data read ahead by node and not taken by anybody.
  readAhead: (flow) => {
    flow.client.once('readable', () => void flow.relay());
  },
  reset: (flow) => flow.reset(),
  resetClient: (flow) => {
    flow.client.resetAndDestroy();
    flow.server.resetAndDestroy();
  },
};

const controller = new AbortController();
const interception = intercept({
  interfaces: ['toclient', 'toserver'],
  rules: [{ ports: [port], action: mode in handles ? 'handle' : 'relay' }],
  drainSeconds: 1,
  signal: controller.signal,
  log: ({ event }) => logged.push(event),
  ...(decideTimeoutMs ? { decideTimeoutMs } : {}),
  ...(mode in decides ? { decide: decides[mode] } : {}),
});
process.on('SIGUSR2', async () => {
  const list = await interception.flows();
  console.log(JSON.stringify({ ended: 0, seen, logged, list, ...(await interception.stats()) }));
});
process.on('SIGTERM', () => controller.abort());
await interception.ready;
console.log('{"ready":true}');
for await (const flow of interception) handles[mode](flow);
await interception.closed;
