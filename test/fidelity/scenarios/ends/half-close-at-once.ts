import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'half-close-at-once',
  group: 'ends',
  faults: [33],
  standard: 'RFC 9293 section 3.6: FIN right behind the request, then 1 MB back',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await c.shutdown();
    await s.receive();
    await Promise.all([s.send(1_000_000), c.receive(1_000_000)]);
    await s.close();
    await c.receive();
    await c.close();
  },
});
