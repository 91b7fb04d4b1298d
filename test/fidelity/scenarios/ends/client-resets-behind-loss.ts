import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'client-resets-behind-loss',
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
    await server.losses.begin('data');
    await c.send(1000);
    await server.losses.seen();
    await c.reset();
    check('the server is reset', (await s.receive(1, { patienceMs: 2000 })).end === 'ECONNRESET');
    await s.close();
  },
});
