import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'bad-bytes-first',
  group: 'data',
  faults: [44],
  standard:
    'RFC 9293 section 3.1 (MUST-3): a segment whose bytes are not those of its checksum is dropped, also when it is the first with data',
  taken: true,
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open({ mss: 1460 });
    const s = await listener.accept();

    await c.send('P.', { length: 100, spoil: 'data' });
    const got = await s.receive(100, { patienceMs: 200 });
    check('it does not arrive', got.bytes === 0);
    await c.send('P.', { length: 100 });
    await s.receive(100, { patienceMs: 500 });
    await s.close();
    await c.expect('F.', { end: 2 });
    await c.send('F.');
    await c.expect('.');
  },
});
