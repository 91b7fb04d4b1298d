import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'server-closes-first-data-unread',
  group: 'ends',
  faults: [34, 35],
  standard: 'RFC 2525 section 2.17: the first data is never read',
  taken: true,
  async run({ client, server, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(1000);
    await s.unread(1000);
    await s.close();
    check('the client reads ECONNRESET', (await c.receive()).end === 'ECONNRESET');
    await c.close();
  },
});
