import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'bad-checksum-of-flags',
  group: 'data',
  faults: [44],
  standard: 'RFC 9293 section 3.1 (MUST-3): a segment with a wrong checksum is dropped, and so are its flags',
  taken: true,
  differences: ['dropped-in-the-middle'],
  async run({ rawClient, server, family, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.send('S', { options: { mss: 1200 }, spoil: 'tcp' });
    await c.open({ mss: 1460 });
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);

    await c.send('P.', { length: 200, spoil: 'data' });
    await c.send('P.', { length: 200, spoil: 'tcp' });
    if (family === 4) await c.send('P.', { length: 200, spoil: 'ip' });
    await c.send('F.', { spoil: 'tcp' });
    await c.send('R.', { spoil: 'tcp' });
    const got = await s.receive(200, { patienceMs: 200 });
    check('nothing of that arrives', got.end === 'still waiting');
    await c.send('P.', { length: 200 });
    await s.receive(200);
    await s.close();
    await c.expect('F.', { end: 2 });
    await c.send('F.');
    await c.expect('.');
  },
});
