import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'rst-outside-window',
  group: 'security',
  faults: [58],
  standard: 'RFC 5961 section 3.2: a reset outside the window is dropped without an answer',
  taken: true,
  differences: ['forged-stays-here'],
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(10);
    await c.expect('.', { end: 11 });
    await c.send('.');
    await c.inject('R', { seq: 10_000_000 });
    await c.inject('R.', { seq: -5000 });
    await c.expect('.', { end: 11, patienceMs: 200 });
    await c.send('P.', { length: 100 });
    check('the connection is there', (await s.receive(100)).end === 'enough');
    await c.send('F.');
    await s.receive();
    await s.close();
    await c.expect('F.');
    await c.send('.');
  },
});
