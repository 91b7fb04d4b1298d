// A program on the library, in the middle: what it does with each flow is named by `mode`. Prints the counters on SIGUSR2;
// the decisions of the mode `gate` wait for SIGHUP, on which the modes that handle have all flows released within 300 ms.
// `outcomes`: what became of releases.
import { intercept } from '../../dist/index.js';

const { port, mode, decideTimeoutMs } = JSON.parse(process.argv[2]);
const seen = [];
const logged = [];
const outcomes = [];
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
  slow: new URL('./decide-slow.mjs', import.meta.url),
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
  // Passes the first chunk on and gives the rest to plain forwarding.
  release: (flow) => {
    flow.client.once('data', async (chunk) => {
      flow.client.pause();
      flow.server.write(chunk);
      outcomes.push(await flow.release());
    });
  },
  // Tries that while it still has a byte of the client's, passes that on, and tries again.
  releaseTwice: (flow) => {
    flow.client.once('data', async (chunk) => {
      flow.client.pause();
      flow.server.write(chunk.subarray(0, -1));
      outcomes.push(await flow.release());
      flow.server.write(chunk.subarray(-1));
      outcomes.push(await flow.release());
    });
  },
  // Keeps a byte back for a while, is refused, and goes on as a handler.
  releaseInVain: (flow) => {
    flow.client.once('data', async (chunk) => {
      flow.client.pause();
      flow.server.write(chunk.subarray(0, -1));
      outcomes.push(await flow.release());
      flow.server.write(chunk.subarray(-1));
      handles.pipe(flow);
    });
  },
  // Says a byte more than the client did.
  releaseMore: (flow) => {
    flow.client.once('data', async (chunk) => {
      flow.client.pause();
      flow.server.write(Buffer.concat([Buffer.from('>'), chunk]));
      outcomes.push(await flow.release());
      handles.pipe(flow);
    });
  },
  // The same, and the relay gets the rest.
  relayMore: (flow) => {
    flow.client.once('data', async (chunk) => {
      flow.client.pause();
      flow.server.write(Buffer.concat([Buffer.from('>'), chunk]));
      await flow.relay();
    });
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
  console.log(JSON.stringify({ ended: 0, seen, logged, outcomes, list, ...(await interception.stats()) }));
});
process.on('SIGHUP', async () => {
  if (mode in handles) outcomes.push(...(await interception.release('all', { within: 300 })));
});
process.on('SIGTERM', () => controller.abort());
await interception.ready;
console.log('{"ready":true}');
for await (const flow of interception) handles[mode](flow);
await interception.closed;
