import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'before-third-ack',
  group: 'data',
  faults: [46],
  standard:
    'RFC 9293 section 3.4: segments arrive in any order, the second piece of data before the ACK of the handshake',
  taken: true,
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.send('S', { options: { mss: 1460 } });
    await c.expect('S.');
    await c.send('P.', { seq: 101, length: 100 });
    await c.send('P.', { seq: 1, length: 100 });
    await c.send('.', { seq: 1 });
    const s = await listener.accept();
    check('all arrives in order', (await s.receive(200)).end === 'enough');
    await s.send(100);
    await c.expect('.', { end: 101 });
    await c.send('F.');
    await s.receive();
    await s.close();
    await c.expect('F.', { end: 102 });
    await c.send('.');
  },
});
