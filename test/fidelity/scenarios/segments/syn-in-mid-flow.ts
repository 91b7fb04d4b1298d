import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'syn-in-mid-flow',
  group: 'segments',
  faults: [58],
  standard: 'RFC 5961 section 4.2: a SYN in mid-flow is challenged, and kills nothing',
  taken: true,
  differences: ['forged-stays-here'],
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

    await c.send('S', { seq: 101, aside: true });
    await c.expect('.');
    await c.send('P.', { length: 50 });
    await s.receive(50);

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
