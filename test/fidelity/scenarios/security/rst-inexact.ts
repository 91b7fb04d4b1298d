import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'rst-inexact',
  group: 'security',
  faults: [58],
  standard:
    'RFC 5961 section 3.2: a reset within the window, but not at its edge, is answered by a challenge ACK',
  taken: true,
  differences: ['forged-stays-here'],
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(10);
    await c.expect('.', { end: 11 });
    await c.send('.');
    // Forged: by somebody who knows the ports and little else.
    await c.inject('R', { seq: 5000 });
    check('a challenge comes', (await c.expect('.', { end: 11 })) !== undefined);
    await c.send('P.', { length: 100 });
    check('the connection is there', (await s.receive(100)).end === 'enough');
    await c.send('F.');
    await s.receive();
    await s.close();
    await c.expect('F.');
    await c.send('.');
  },
});
