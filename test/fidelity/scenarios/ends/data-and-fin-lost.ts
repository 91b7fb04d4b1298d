import { scenario } from '../../harness/scenario.js';

export default (['client', 'server'] as const).map((end) =>
  scenario({
    name: `last-data-and-fin-of-${end}-lost`,
    group: 'ends',
    faults: [35, 40],
    standard:
      'RFC 9293 section 3.10.4, CLOSE: what was sent before is delivered, also when it is lost with the FIN behind it',
    taken: true,
    async run({ client, server, check }) {
      const listener = await server.listen();
      const c = await client.connect();
      const s = await listener.accept();
      await c.send(100);
      await s.receive(100);
      await s.send(10);
      await c.receive(10);
      const [closes, hears, host] = end === 'client' ? [c, s, server] : [s, c, client];
      await host.losses.begin('data', 'fin');
      await closes.send(1000);
      await closes.close();
      await host.losses.seen(2);
      await host.losses.end();
      const { bytes, end: how } = await hears.receive();
      check('all comes, and the end behind it', bytes === 1000 && how === 'EOF');
      await hears.close();
    },
  }),
);
