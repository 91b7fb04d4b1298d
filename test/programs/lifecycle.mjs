// Interceptions that fail, end and begin again in one process, in the middle. Prints what became of each as JSON; an unhandled
// rejection ends it. Argument: JSON with the port, on which somebody connects again and again.
import { readdirSync } from 'node:fs';
import { intercept } from '../../dist/index.js';

const { port } = JSON.parse(process.argv[2]);
const options = (more) => ({
  interfaces: ['toclient', 'toserver'],
  rules: [{ ports: [port], action: 'relay' }],
  ...more,
});
const said = (promise) =>
  promise.then(
    (value) => (value === undefined ? 'resolved' : value),
    (error) => `rejected: ${error.message}`,
  );

async function failingStart() {
  const interception = intercept(options({ decide: new URL('./not-there.mjs', import.meta.url) }));
  return [await said(interception.ready), await said(interception.closed)];
}

async function dyingWorker() {
  const interception = intercept(options({ decide: new URL('./decide-exit.mjs', import.meta.url) }));
  await interception.ready;
  console.log(JSON.stringify({ connect: true }));
  return said(interception.closed);
}

async function afterClose() {
  const interception = intercept(options());
  await interception.ready;
  await interception.close();
  return [
    await said(interception.flows()),
    await said(interception.release('all')),
    await said(interception.reload([])),
    await said(interception.close()),
  ];
}

/** How many descriptors are open after `times` more interceptions. */
async function descriptors(times) {
  for (let i = 0; i < times; i++) {
    const interception = intercept(options());
    await interception.ready;
    await interception.close();
  }
  return readdirSync('/proc/self/fd').length;
}

console.log(JSON.stringify({ ready: true }));
const failed = await failingStart();
const died = await dyingWorker();
const closed = await afterClose();
const before = await descriptors(1);
const after = await descriptors(5);
console.log(JSON.stringify({ failed, died, closed, leaked: after - before }));
