import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'reuse-port-server-closed',
  group: 'ends',
  faults: [6],
  standard: 'RFC 9293 section 3.6.1 (MAY-2): a SYN with a higher number reopens a connection in TIME_WAIT',
  taken: 2,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect({ fromPort: 33_001 });
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await s.close();
    await c.receive();
    await c.close();
    const again = await client.connect({ fromPort: 33_001 });
    const accepted = await listener.accept();
    await again.send(100);
    await accepted.receive(100);
    await accepted.close();
    await again.receive();
    await again.close();
  },
});
