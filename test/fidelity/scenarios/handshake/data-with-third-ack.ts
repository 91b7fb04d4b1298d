import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'data-with-third-ack',
  group: 'handshake',
  faults: [46],
  standard: 'RFC 9293 section 3.10.7.4: the segment that completes the handshake may carry data',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.send('S', { options: { mss: 1460 } });
    await c.expect('S.');
    await c.send('P.', { length: 100 });
    const s = await listener.accept();
    await s.receive(100);
    await s.send(100);
    await c.expect('.', { end: 101 });
    await c.send('.');

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
