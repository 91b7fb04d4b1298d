import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'server-resets-behind-loss',
  group: 'ends',
  faults: [34, 58],
  standard:
    'RFC 5961 section 3.2: a reset behind bytes that were lost is challenged, and the answer to the challenge ends the connection',
  taken: true,
  differences: ['challenge-of-the-leg'],
  async run({ client, server, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await s.send(10);
    await c.receive(10);
    await client.losses.begin('data');
    await s.send(1000);
    await client.losses.seen();
    await s.reset();
    check('the client is reset', (await c.receive(1, { patienceMs: 2000 })).end === 'ECONNRESET');
    await c.close();
  },
});
