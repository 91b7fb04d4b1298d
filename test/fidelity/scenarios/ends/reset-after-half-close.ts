import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'reset-after-half-close',
  group: 'ends',
  faults: [33, 34],
  standard: 'RFC 9293 section 3.10.4, ABORT: a half-closed connection can be reset',
  taken: true,
  async run({ client, server, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await c.shutdown();
    await s.receive();
    await s.reset();
    check('the client reads ECONNRESET', (await c.receive()).end === 'ECONNRESET');
    await c.close();
  },
});
