import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'overlap-first',
  group: 'data',
  faults: [43, 46],
  standard: 'RFC 9293 section 3.10.7.4: of segments that overlap, what is new is taken; the very first ones',
  taken: true,
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { seq: 101, length: 200 });
    await c.send('P.', { seq: 1, length: 150 });
    await c.send('P.', { seq: 1, length: 150 });
    check('every byte is in its place', (await s.receive(300)).end === 'enough');
    await s.send(10);
    await c.expect('.', { end: 11 });
    await c.send('F.', { seq: 301 });
    await s.receive();
    await s.close();
    await c.expect('F.', { end: 12 });
    await c.send('.');
  },
});
