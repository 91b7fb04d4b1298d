import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'half-close-by-client',
  group: 'ends',
  faults: [33],
  standard: 'RFC 9293 section 3.6: who has sent FIN goes on receiving',
  taken: true,
  async run({ client, server, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await c.shutdown();
    check('the server reads the end', (await s.receive()).end === 'EOF');
    await Promise.all([s.send(1_000_000), c.receive(1_000_000)]);
    await s.close();
    check('the client reads the end', (await c.receive()).end === 'EOF');
    await c.close();
  },
});
