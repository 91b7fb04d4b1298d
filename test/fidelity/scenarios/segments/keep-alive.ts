import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'keep-alive',
  group: 'segments',
  faults: [37],
  standard: 'RFC 9293 section 3.8.4: a keep-alive (one old sequence number, no data) is answered by an ACK',
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

    await c.send('.', { seq: 100, aside: true });
    await c.expect('.');
    await c.send('P.', { length: 50 });
    await s.receive(50);

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
