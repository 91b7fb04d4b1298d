import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'server-resets-unread-at-client',
  group: 'ends',
  faults: [34, 35],
  standard: 'RFC 9293 section 3.10.7.4: what came before a reset can still be read (Linux), then ECONNRESET',
  taken: true,
  async run({ client, server, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await s.send(20_000);
    await c.unread(20_000);
    await s.reset();
    await c.state('CLOSE');
    check('the client reads all, then ECONNRESET', (await c.receive()).end === 'ECONNRESET');
    await c.close();
  },
});
