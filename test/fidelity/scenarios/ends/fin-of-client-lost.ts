import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'fin-of-client-lost',
  group: 'ends',
  faults: [33, 40],
  standard: 'RFC 9293 section 3.8.1: a FIN is repeated until it is acknowledged',
  taken: true,
  async run({ client, rawServer, check }) {
    const s = await rawServer.connection();
    const opened = s.open();
    const c = await client.connect({ to: 'raw' });
    await opened;
    await c.send(100);
    await s.expect('.', { end: 101 });
    await s.send('P.', { length: 10 });
    await c.receive(10);
    await c.shutdown();
    await s.expect('F.', { end: 102 });
    // As if it had been lost.
    const again = await s.expect('F.', { end: 102, patienceMs: 1500 });
    check('it is sent again', again !== undefined);
    await s.send('P.', { length: 1000 });
    check('the other direction goes on', (await c.receive(1000)).end === 'enough');
    await s.send('F.');
    await c.receive();
    await c.close();
    await s.expect('.', { end: 102 });
  },
});
