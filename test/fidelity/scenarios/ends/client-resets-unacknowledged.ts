import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'client-resets-unacknowledged',
  group: 'ends',
  faults: [34],
  standard: 'RFC 9293 section 3.10.4, ABORT: the reset does not wait for what is on its way',
  taken: true,
  async run({ client, rawServer, check }) {
    const s = await rawServer.connection();
    const opened = s.open();
    const c = await client.connect({ to: 'raw' });
    await opened;
    await c.send(100);
    await s.expect('.', { end: 101 });
    await s.send('.');
    await c.send(1000);
    await s.expect('.', { end: 1101 });
    // Not acknowledged.
    await c.reset();
    check('the reset comes', (await s.expect('R.', { patienceMs: 1000 })) !== undefined);
  },
});
