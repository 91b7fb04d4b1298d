import { scenario } from '../../harness/scenario.js';

export default (['client', 'server'] as const).map((end) =>
  scenario({
    name: `${end}-resets-behind-loss`,
    group: 'ends',
    faults: [34, 58],
    standard:
      'RFC 5961 section 3.2: a reset behind bytes that were lost is challenged, and the answer to the challenge ends the connection',
    taken: true,
    differences: ['clock-of-the-leg'],
    async run({ client, server, check }) {
      const listener = await server.listen();
      const c = await client.connect();
      const s = await listener.accept();
      await c.send(100);
      await s.receive(100);
      await s.send(10);
      await c.receive(10);
      const [resets, hears, host] = end === 'client' ? [c, s, server] : [s, c, client];
      // For good: what is sent again is lost, too.
      await host.losses.begin('data');
      await resets.send(1000);
      await host.losses.seen();
      await resets.reset();
      check('the other end is reset', (await hears.receive(1, { patienceMs: 2000 })).end === 'ECONNRESET');
      await hears.close();
    },
  }),
);
