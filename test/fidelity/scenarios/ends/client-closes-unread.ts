import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'client-closes-unread',
  group: 'ends',
  faults: [34, 35],
  standard: 'RFC 9293 section 3.10.4 (SHLD-3), RFC 2525 section 2.17: who closes with unread data resets',
  taken: true,
  async run({ client, server, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await s.send(1000);
    await c.unread(1000);
    await c.close();
    check('the server reads ECONNRESET', (await s.receive()).end === 'ECONNRESET');
    await s.close();
  },
});
