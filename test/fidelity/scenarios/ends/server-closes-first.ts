import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'server-closes-first',
  group: 'ends',
  faults: [6, 35],
  standard: 'RFC 9293 section 3.6: who closes first waits in TIME_WAIT',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(10);
    await s.receive(10);
    await s.send(10);
    await c.receive(10);
    await s.close();
    await c.receive();
    await c.close();
  },
});
