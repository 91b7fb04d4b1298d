/**
 * Looks at the first bytes of every connection, prints what they are, and gets out of the way: the two ends go on without
 * this process, which may even end. For protocols in which the client speaks first. As root, on a router, after `make build`
 * (Node.js 22.18 or newer; with Node.js 20 write `npx tsx` for `node`):
 *
 *     node examples/look-and-leave.ts eth0,eth1 80,443
 */
import { formatEndpoint, intercept } from 'desplice';

const [interfaces, ports] = process.argv.slice(2).map((list) => list.split(','));
if (!interfaces || !ports) throw new Error('usage: look-and-leave.ts INTERFACES PORTS');
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const flows = intercept({ interfaces, rules: [{ ports, action: 'handle' }], signal: stop.signal });
for await (const flow of flows) {
  flow.client.once('data', async (first: Buffer) => {
    flow.client.pause();
    // Every byte that was read must have been written before the flow is given back.
    flow.server.write(first);
    const line = first.toString('latin1').split('\r\n', 1)[0] ?? '';
    const outcome = await flow.release();
    const ends = `${formatEndpoint(flow.clientAddress)} to ${formatEndpoint(flow.serverAddress)}`;
    console.log(
      `${ends}: ${line.replace(/[^ -~]/g, '.').slice(0, 60)} (${outcome.result === 'refused' ? outcome.reason : outcome.result})`,
    );
  });
}
