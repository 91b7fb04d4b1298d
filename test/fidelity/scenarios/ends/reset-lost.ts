import { scenario } from '../../harness/scenario.js';

export default (['client', 'server'] as const).map((end) =>
  scenario({
    name: `reset-of-${end}-lost`,
    group: 'ends',
    faults: [34],
    standard:
      'RFC 9293 section 3.5.1: an end that has not heard of a reset learns of it when it speaks the next time',
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
      await host.losses.begin('rst');
      await resets.reset();
      await host.losses.seen();
      await host.losses.end();
      check('it has not heard of it', (await hears.state('ESTABLISHED')) === 'ESTABLISHED');
      await hears.send(300);
      check('now it has', (await hears.receive(1, { patienceMs: 2000 })).end === 'ECONNRESET');
      await hears.close();
    },
  }),
);
