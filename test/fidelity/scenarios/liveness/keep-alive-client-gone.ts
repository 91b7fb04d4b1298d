import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'keep-alive-client-gone',
  group: 'liveness',
  faults: [37],
  standard: 'RFC 9293 section 3.8.4: keep-alives find out that the other end has vanished',
  taken: true,
  async run({ server, rawClient, check }) {
    const keepAlive = { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 1 };
    const listener = await server.listen({ options: keepAlive });
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    // From here on the client says nothing.
    check('the server times out', (await s.receive(1, { patienceMs: 4500 })).end === 'ETIMEDOUT');
    await s.close();
  },
});
