import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'no-timestamps-at-server',
  group: 'options',
  faults: [9],
  standard: 'RFC 7323 section 3.2: without agreement no segment carries timestamps',
  taken: true,
  async run({ client, server }) {
    await server.sysctl('ipv4/tcp_timestamps', 0);
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await c.send(20_000);
    await s.receive(20_000);
    await Promise.all([s.send(300_000), c.receive(300_000)]);
    await c.close();
    await s.receive();
    await s.close();
  },
});
