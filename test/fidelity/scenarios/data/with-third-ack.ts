import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'with-third-ack',
  group: 'data',
  faults: [46],
  standard: 'RFC 9293 section 3.10.7.4: the segment that completes the handshake may carry data',
  taken: true,
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.send('S', { options: { mss: 1460 } });
    await c.expect('S.');
    await c.send('P.', { length: 300 });
    const s = await listener.accept();
    check('it arrives', (await s.receive(300)).end === 'enough');
    await s.send(100);
    await c.expect('.', { end: 101 });
    await c.send('F.');
    await s.receive();
    await s.close();
    await c.expect('F.', { end: 102 });
    await c.send('.');
  },
});
