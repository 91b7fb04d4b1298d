import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'challenge-behind-first-data',
  group: 'security',
  faults: [58],
  standard: 'RFC 5961 section 3.2: the first inexact reset is challenged, however soon it comes',
  taken: true,
  differences: ['forged-stays-here'],
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    // Nothing but a bare acknowledgement: the server says nothing.
    await c.expect('.', { end: 1 });
    await c.inject('R', { seq: 5000 });
    check('a challenge comes', (await c.expect('.', { end: 1, patienceMs: 1000 })) !== undefined);
    await c.send('F.');
    await s.receive();
    await s.close();
    await c.expect('F.');
    await c.send('.');
  },
});
