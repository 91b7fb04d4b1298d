import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'mss-zero',
  group: 'handshake',
  faults: [15],
  standard: 'RFC 9293 section 3.7.1: an MSS of 0 is no reason to send nothing',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open({ mss: 0 });
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(100);
    await c.expect('.', { end: 101 });
    await c.send('.');

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
