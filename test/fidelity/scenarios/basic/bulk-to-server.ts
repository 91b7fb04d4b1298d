import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'bulk-to-server',
  group: 'basic',
  faults: [32, 43],
  standard: 'RFC 9293 section 3.8: 5 MB arrive, byte for byte',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await Promise.all([c.send(5_000_000), s.receive(5_000_000)]);
    await c.close();
    await s.receive();
    await s.close();
  },
});
