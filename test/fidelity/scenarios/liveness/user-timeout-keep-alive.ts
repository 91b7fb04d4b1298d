import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'user-timeout-keep-alive',
  group: 'liveness',
  faults: [37, 40],
  standard: 'RFC 5482 section 4.2: the user timeout holds for keep-alives, too',
  taken: true,
  async run({ client, rawServer, check }) {
    const s = await rawServer.connection();
    const opened = s.open();
    const keepAlive = { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 9 };
    const c = await client.connect({ to: 'raw', options: { ...keepAlive, TCP_USER_TIMEOUT: 1500 } });
    await opened;
    await c.send(100);
    await s.expect('.', { end: 101 });
    await s.send('.');
    check('the client times out', (await c.receive(1, { patienceMs: 4500 })).end === 'ETIMEDOUT');
    await c.close();
  },
});
