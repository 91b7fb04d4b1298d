import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'syn-in-established',
  group: 'security',
  faults: [58],
  standard:
    'RFC 5961 section 4.2: a SYN for an established connection is answered by a challenge ACK, whatever its number',
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
    await c.inject('S', { seq: 50, options: { mss: 1460 } });
    check('a challenge comes', (await c.expect('.', { end: 11 })) !== undefined);
    await c.send('P.', { length: 100 });
    check('the connection is there', (await s.receive(100)).end === 'enough');
    await s.send(10);
    await c.expect('.', { end: 21 });
    await c.send('F.');
    await s.receive();
    await s.close();
    await c.expect('F.');
    await c.send('.');
  },
});
