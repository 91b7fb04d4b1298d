import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'reuse-port-client-closed',
  group: 'ends',
  faults: [6],
  standard: 'RFC 9293 section 3.6.1 (MAY-2): the end that is in TIME_WAIT may open the connection again',
  taken: 2,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect({ fromPort: 33_001 });
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await c.close();
    await s.receive();
    await s.close();
    const again = await client.connect({ fromPort: 33_001 });
    const accepted = await listener.accept();
    await again.send(100);
    await accepted.receive(100);
    await again.close();
    await accepted.receive();
    await accepted.close();
  },
});
