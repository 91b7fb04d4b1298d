import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'fin-of-server-lost',
  group: 'ends',
  faults: [33, 40],
  standard: 'RFC 9293 section 3.8.1: a FIN is repeated until it is acknowledged',
  taken: true,
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(10);
    await c.expect('.', { end: 11 });
    await c.send('.');
    await s.close();
    await c.expect('F.', { end: 12 });
    // As if it had been lost.
    const again = await c.expect('F.', { end: 12, patienceMs: 1500 });
    check('it is sent again', again !== undefined);
    await c.send('F.');
    check('ours is acknowledged', (await c.expect('.', { end: 12 })) !== undefined);
  },
});
