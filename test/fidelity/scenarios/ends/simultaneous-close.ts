import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'simultaneous-close',
  group: 'ends',
  faults: [6, 35],
  standard: 'RFC 9293 section 3.6 figure 13: both ends pass through CLOSING into TIME_WAIT',
  taken: true,
  differences: ['crossing-fin'],
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.shutdown();
    await c.expect('F.');
    // As if our FIN had been on its way when the server's came.
    await c.send('F.', { ack: 1 });
    await c.expect('.', { end: 2 });
    await c.send('.');
    await s.receive();
    await s.state('CLOSE');
    await s.close();
  },
});
