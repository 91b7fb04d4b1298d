import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'raw-syn-without-mss',
  group: 'handshake',
  faults: [15],
  standard: 'RFC 9293 section 3.7.1 (MUST-15): no MSS option means 536 (IPv4) or 1220 (IPv6)',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open({});
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(3000);
    await c.expect('.', { end: 3001 });
    await c.send('.');
    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.', { end: 3002 });
  },
});
