import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'server-speaks-first',
  group: 'basic',
  faults: [7],
  standard: 'RFC 9293 section 3.10.4: either end may send once the connection is established',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await s.send(100);
    await c.receive(100);
    await c.send(300);
    await s.receive(300);
    await c.close();
    await s.receive();
    await s.close();
  },
});
