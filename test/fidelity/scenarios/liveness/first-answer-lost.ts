import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'first-answer-lost',
  group: 'liveness',
  faults: [40],
  standard:
    'RFC 6298 section 2: with a round trip measured in the handshake, what is lost is sent again soon',
  taken: true,
  async run({ server, rawClient, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(100);
    await c.expect('.', { end: 101 });
    // As if it had been lost.
    const again = await c.expect('.', { end: 101, patienceMs: 1500 });
    check('it is sent again within 1.5 s', again !== undefined);
    await c.send('.');
    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.', { end: 102 });
  },
});
