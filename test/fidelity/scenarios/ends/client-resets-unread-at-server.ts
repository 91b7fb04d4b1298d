import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'client-resets-unread-at-server',
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
    await c.send(20_000);
    await s.unread(20_000);
    await c.reset();
    await s.state('CLOSE');
    check('the server reads all, then ECONNRESET', (await s.receive()).end === 'ECONNRESET');
    await s.close();
  },
});
