import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'data-in-syn',
  group: 'handshake',
  faults: [4],
  standard:
    'RFC 9293 section 3.4: data in a SYN is allowed; a server without Fast Open leaves it unacknowledged',
  taken: 'dataInSyn',
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.send('S', { options: { mss: 1460 }, length: 100 });
    await c.expect('S.');
    await c.send('P.', { seq: 1, length: 100 });
    const s = await listener.accept();
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
