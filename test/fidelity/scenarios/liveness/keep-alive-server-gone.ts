import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'keep-alive-server-gone',
  group: 'liveness',
  faults: [37],
  standard: 'RFC 9293 section 3.8.4: keep-alives find out that the other end has vanished',
  taken: true,
  async run({ client, rawServer, check }) {
    const s = await rawServer.connection();
    const opened = s.open();
    const keepAlive = { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 1 };
    const c = await client.connect({ to: 'raw', options: keepAlive });
    await opened;
    await c.send(100);
    await s.expect('.', { end: 101 });
    await s.send('.');
    // From here on the server says nothing.
    check('the client times out', (await c.receive(1, { patienceMs: 4500 })).end === 'ETIMEDOUT');
    await c.close();
  },
});
