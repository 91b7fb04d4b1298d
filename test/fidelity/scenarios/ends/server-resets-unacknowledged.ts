import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'server-resets-unacknowledged',
  group: 'ends',
  faults: [34],
  standard: 'RFC 9293 section 3.10.4, ABORT: the reset does not wait for what is on its way',
  taken: true,
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(1000);
    await c.expect('.', { end: 1001 });
    // Not acknowledged.
    await s.reset();
    check('the reset comes', (await c.expect('R.', { patienceMs: 1000 })) !== undefined);
  },
});
