import { scenario } from '../../harness/scenario.js';

export default (['client', 'server'] as const).map((end) =>
  scenario({
    name: `link-of-${end}-down-idle`,
    group: 'liveness',
    faults: [37],
    standard: 'RFC 9293 section 3.8.4: keep-alives find out that the other end is cut off',
    taken: true,
    async run({ client, server, check }) {
      const options = { SO_KEEPALIVE: 1, TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: 1 };
      const listener = await server.listen(end === 'client' ? { options } : {});
      const c = await client.connect(end === 'server' ? { options } : {});
      const s = await listener.accept();
      await c.send(100);
      await s.receive(100);
      await s.send(10);
      await c.receive(10);
      const [vanishes, stays, host] = end === 'client' ? [c, s, client] : [s, c, server];
      await host.link.down();
      // Nobody hears this reset.
      await vanishes.reset();
      check('it times out', (await stays.receive(1, { patienceMs: 4500 })).end === 'ETIMEDOUT');
      await stays.close();
    },
  }),
);
