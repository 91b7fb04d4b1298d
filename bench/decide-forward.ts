/**
 * An engine whose `decide` sends every flow to plain forwarding at its first data: node decide-forward.js INTERFACE…
 * Prints `ready`; answers each line on stdin with its counters as JSON; SIGTERM ends it.
 */
import { createInterface } from 'node:readline';
import { intercept } from '../dist/index.js';

const interception = intercept({
  interfaces: process.argv.slice(2),
  rules: [{ ports: [80] }],
  decide: new URL('decide-forward-module.js', import.meta.url),
});
await interception.ready;
console.log('ready');
createInterface({ input: process.stdin }).on('line', async () => {
  console.log(JSON.stringify(await interception.stats()));
});
process.once('SIGTERM', async () => {
  await interception.close();
  process.exit(0);
});
