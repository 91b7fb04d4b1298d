import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'bad-checksum-of-handshake',
  group: 'data',
  faults: [44],
  standard:
    'RFC 9293 section 3.1 (MUST-3): what a segment with a wrong checksum says about the handshake has not been said',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    const options = { mss: 1460, windowScale: 7, sackPermitted: true };
    await c.send('S', { options });
    await c.expect('S.');
    // Neither is ever heard: other options, an acknowledgement with another window.
    await c.send('S', { seq: 0, options: { mss: 536 }, spoil: 'tcp' });
    await c.send('.', { window: 1, spoil: 'tcp' });
    await c.send('.', { window: 500 });
    const s = await listener.accept();

    await c.send('P.', { length: 100, window: 500 });
    await s.receive(100);
    await s.send(5000);
    await c.expect('.', { end: 5001 });
    await c.send('.', { window: 500 });
    await s.close();
    await c.expect('F.', { end: 5002 });
    await c.send('F.', { window: 500 });
    await c.expect('.');
  },
});
