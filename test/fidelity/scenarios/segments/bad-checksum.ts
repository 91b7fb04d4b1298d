import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'bad-checksum',
  group: 'segments',
  faults: [44],
  standard: 'RFC 9293 section 3.1 (MUST-3): a segment with a wrong checksum is dropped',
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

    await c.send('P.', { length: 50, badChecksum: true, wrongBytes: true, aside: true });
    await c.send('P.', { length: 50 });
    await s.receive(50);

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
