import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'bad-checksum-first',
  group: 'segments',
  faults: [44],
  standard: 'RFC 9293 section 3.1 (MUST-3): a segment with a wrong checksum is dropped, also the first',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100, badChecksum: true, wrongBytes: true, aside: true });
    await s.receive(1, { patienceMs: 100 });
    await c.send('P.', { length: 100 });
    await s.receive(100);

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
