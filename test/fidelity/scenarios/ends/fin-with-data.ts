import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'fin-with-data',
  group: 'ends',
  faults: [35],
  standard: 'RFC 9293 section 3.10.7.4: FIN may ride on the last data; it counts behind it',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(100);
    await c.expect('.', { end: 101 });
    await c.send('.');

    await c.send('FP.', { length: 50 });
    await s.receive();
    await s.send(70, 'MSG_MORE');
    await s.close();
    await c.expect('F.');
    await c.send('.');
  },
});
