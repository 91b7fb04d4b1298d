import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'mss-536-at-server',
  group: 'options',
  faults: [14, 17],
  standard: 'RFC 9293 section 3.7.1 (MUST-16): no segment is longer than the other end allows',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen({ options: { TCP_MAXSEG: 536 } });
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await c.send(20_000);
    await s.receive(20_000);
    await s.send(20_000);
    await c.receive(20_000);
    await c.close();
    await s.receive();
    await s.close();
  },
});
