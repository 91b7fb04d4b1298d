import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'out-of-order-first',
  group: 'segments',
  faults: [43, 46],
  standard: 'RFC 9293 section 3.10.7.4 (SHLD-31): the second segment comes first',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { seq: 101, length: 100 });
    await c.send('P.', { seq: 1, length: 100 });
    await s.receive(200);

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
