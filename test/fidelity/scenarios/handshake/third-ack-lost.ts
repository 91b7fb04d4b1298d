import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'third-ack-lost',
  group: 'handshake',
  faults: [9, 46],
  standard:
    'RFC 7323 section 5.4: a timestamp clock does not go back, also behind a SYN-ACK that was sent twice since the third ACK was lost',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    const began = Date.now();
    const clock = () => ({ tsval: 1000 + Date.now() - began, tsecr: c.last?.options.timestamps?.tsval ?? 0 });
    await c.send('S', { options: { mss: 1460, sackPermitted: true, ...clock() } });
    await c.expect('S.');
    // The server never hears it.
    await c.send('.', { options: clock(), spoil: 'tcp' });
    await c.expect('S.');
    await c.send('.', { options: clock() });
    const s = await listener.accept();
    await c.send('P.', { length: 100, options: clock() });
    await s.receive(100);
    await s.send(1000);
    await c.expect('.', { end: 1001 });
    await c.send('.', { options: clock() });
    await s.close();
    await c.expect('F.', { end: 1002 });
    await c.send('F.', { options: clock() });
    await c.expect('.');
  },
});
