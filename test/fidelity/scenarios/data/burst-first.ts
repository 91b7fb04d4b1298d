import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'burst-first',
  group: 'data',
  faults: [43, 46],
  standard: 'RFC 9293 section 3.8: what arrives in order is acknowledged in order, and nothing is sent twice',
  taken: true,
  nothingTwice: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(20_000);
    await s.receive(20_000);
    await c.close();
    await s.receive();
    await s.close();
  },
});
