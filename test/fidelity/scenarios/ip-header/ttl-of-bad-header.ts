import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'ttl-of-bad-header',
  group: 'ip-header',
  // The header of IPv6 has no checksum.
  families: [4],
  faults: [26, 44],
  standard:
    'RFC 1122 section 3.2.1.2: what a header with a wrong checksum says has not been said, its TTL neither',
  taken: true,
  async run({ server, rawClient }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(10);
    await c.expect('.', { end: 11 });
    await c.send('.');
    await c.send('P.', { length: 50, ttl: 99, wrongBytes: true, spoil: 'ip' });
    // Acknowledged at once, by whom it may be.
    await s.send(5000);
    await c.receive(5011);
    await c.send('F.');
    await s.receive();
    await s.close();
    await c.expect('F.');
    await c.send('.');
  },
});
