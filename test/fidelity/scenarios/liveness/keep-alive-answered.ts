import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'keep-alive-answered',
  group: 'liveness',
  faults: [37, 39],
  standard: 'RFC 9293 section 3.8.4: a probe that the other end answers keeps the connection',
  taken: true,
  async run({ client, server, check }) {
    const listener = await server.listen();
    const keepAlive = { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 1 };
    const c = await client.connect({ options: keepAlive });
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await s.send(100);
    await c.receive(100);
    // Idle for longer than one unanswered probe is allowed to last.
    await c.receive(1, { patienceMs: 2300 });
    await c.send(100);
    check('it goes on', (await s.receive(100)).end === 'enough');
    await c.close();
    await s.receive();
    await s.close();
  },
});
