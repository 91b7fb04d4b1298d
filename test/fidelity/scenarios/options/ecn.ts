import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'ecn',
  group: 'options',
  faults: [23],
  standard: 'RFC 3168 section 6.1: both ends agree on ECN',
  taken: true,
  async run({ client, server }) {
    await client.sysctl('ipv4/tcp_ecn', 1);
    await server.sysctl('ipv4/tcp_ecn', 1);
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(20_000);
    await s.receive(20_000);
    await s.send(20_000);
    await c.receive(20_000);
    await c.close();
    await s.receive();
    await s.close();
  },
});
