import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'bad-checksum-reset',
  group: 'data',
  faults: [44],
  standard:
    'RFC 9293 section 3.1 (MUST-3): a reset with a wrong checksum ends nothing; the tracker, which does not look, leaves the connection alone',
  taken: 'noData',
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open({ mss: 1460 });
    const s = await listener.accept();
    await c.send('R', { spoil: 'tcp' });
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.close();
    await c.expect('F.', { end: 2 });
    await c.send('F.');
    await c.expect('.');
  },
});
