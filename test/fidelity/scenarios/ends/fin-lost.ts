import { scenario } from '../../harness/scenario.js';

export default (['client', 'server'] as const).map((end) =>
  scenario({
    name: `fin-of-${end}-lost-once`,
    group: 'ends',
    faults: [33, 40],
    standard: 'RFC 9293 section 3.8.1: a FIN that was lost is sent again, and half of the connection goes on',
    taken: true,
    async run({ client, server, check }) {
      const listener = await server.listen();
      const c = await client.connect();
      const s = await listener.accept();
      await c.send(100);
      await s.receive(100);
      await s.send(10);
      await c.receive(10);
      const [ends, hears, host] = end === 'client' ? [c, s, server] : [s, c, client];
      await host.losses.begin('fin');
      await ends.shutdown();
      await host.losses.seen();
      await host.losses.end();
      check('the end comes', (await hears.receive()).end === 'EOF');
      await hears.send(100_000);
      check('the other direction goes on', (await ends.receive(100_000)).end === 'enough');
      await hears.close();
      check('it ends, too', (await ends.receive()).end === 'EOF');
      await ends.close();
    },
  }),
);
