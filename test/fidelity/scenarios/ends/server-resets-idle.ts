import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'server-resets-idle',
  group: 'ends',
  faults: [34],
  standard: 'RFC 9293 section 3.10.4, ABORT: a reset, and the other end reads ECONNRESET',
  taken: true,
  async run({ client, server, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await s.reset();
    check('the client reads ECONNRESET', (await c.receive()).end === 'ECONNRESET');
    await c.close();
  },
});
