import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'reuse-port-client-closed',
  group: 'ends',
  faults: [6],
  standard: 'RFC 9293 section 3.6.1 (MAY-2): the same ports, again',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect({ fromPort: 33_001 });
    const s = await listener.accept();

    await c.send(100);
    await s.receive(100);
    await c.close();
    await s.receive();
    await s.close();
    await client.connect({ fromPort: 33_001 });
  },
});
