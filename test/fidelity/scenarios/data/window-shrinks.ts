import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'window-shrinks',
  group: 'data',
  faults: [46],
  standard:
    'RFC 9293 section 3.8.6 (MUST-34): a sender copes with a window that has shrunk behind what it has sent',
  taken: true,
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100, window: 4000 });
    await s.receive(100);
    await s.send(4000);
    await c.expect('.', { end: 4001 });
    // Of 4000 bytes on their way the first 1000 are acknowledged, and the right edge moves back by 2000.
    await c.send('.', { ack: 1001, window: 1000 });
    const again = await c.expect('.', { patienceMs: 400 });
    check('nothing goes beyond what was sent', again === undefined || again.payload.length <= 3000);
    await c.send('.', { ack: 4001, window: 4000 });
    await s.send(100);
    check('it goes on', (await c.expect('.', { end: 4101 })) !== undefined);
    await c.send('F.', { ack: 4101 });
    await s.receive();
    await s.close();
    await c.expect('F.', { end: 4102 });
    await c.send('.');
  },
});
