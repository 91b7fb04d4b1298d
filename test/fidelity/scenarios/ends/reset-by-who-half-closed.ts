import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'reset-by-who-half-closed',
  group: 'ends',
  faults: [33, 34],
  standard: 'RFC 9293 section 3.10.4, ABORT: who has sent FIN can still reset',
  taken: true,
  async run({ client, server, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await c.shutdown();
    await s.receive();
    await s.send(100);
    await c.receive(100);
    await c.reset();
    check('the server knows', (await s.state('CLOSE', 1000)) === 'CLOSE');
    await s.send(100);
    await s.close();
  },
});
