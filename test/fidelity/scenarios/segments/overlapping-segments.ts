import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'overlapping-segments',
  group: 'segments',
  faults: [43],
  standard: 'RFC 9293 section 3.10.7.4: what overlaps is taken once',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(100);
    await c.expect('.', { end: 101 });
    await c.send('.');

    await c.send('P.', { length: 100 });
    await c.send('P.', { seq: 151, length: 100 });
    await s.receive(150);

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
