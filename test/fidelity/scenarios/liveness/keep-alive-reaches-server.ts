import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'keep-alive-reaches-server',
  group: 'liveness',
  faults: [37],
  standard: 'RFC 9293 section 3.8.4: a keep-alive asks the other end, an old segment that must be answered',
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
    const probe = await s.expect('.', { end: 100 });
    check('the probe is behind by one', probe?.payload.length === 0);
    await s.send('.');
    // A second one: the first was answered.
    await s.expect('.', { end: 100 });
    await s.send('P.', { length: 10 });
    await c.receive(10);
    await s.expect('.', { end: 101 });
    await s.send('R.');
    check('the client reads ECONNRESET', (await c.receive()).end === 'ECONNRESET');
    await c.close();
  },
});
