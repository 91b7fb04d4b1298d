import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'bulk-to-client',
  group: 'basic',
  faults: [32, 43],
  standard: 'RFC 9293 section 3.8: 5 MB arrive, byte for byte',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await Promise.all([s.send(5_000_000), c.receive(5_000_000)]);
    await s.close();
    await c.receive();
    await c.close();
  },
});
