import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'ecn-setup-syn',
  group: 'handshake',
  faults: [3, 23],
  standard:
    'RFC 3360 section 2, RFC 3168 section 6.1.1: ECE and CWR in a SYN are an offer of ECN and no reason for a reset',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.send('SEW', { options: { mss: 1460 } });
    await c.expect('S.E');
    await c.send('.');
    const s = await listener.accept();
    // ECT(0), as a sender that agreed on ECN marks its data.
    await c.send('P.', { length: 100, tos: 2 });
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
