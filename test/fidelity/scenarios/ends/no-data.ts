import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'no-data',
  group: 'ends',
  faults: [35],
  standard: 'RFC 9293 section 3.6: a connection that never says anything closes like any other',
  taken: 'noData',
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.close();
    await s.receive();
    await s.close();
  },
});
