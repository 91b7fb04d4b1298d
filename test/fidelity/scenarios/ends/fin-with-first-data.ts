import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'fin-with-first-data',
  group: 'ends',
  faults: [35, 46],
  standard: 'RFC 9293 section 3.10.7.4: the very first data may carry the FIN',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(50, 'MSG_MORE');
    await c.shutdown();
    await s.receive();
    await s.send(70, 'MSG_MORE');
    await s.close();
    await c.receive();
    await c.close();
  },
});
