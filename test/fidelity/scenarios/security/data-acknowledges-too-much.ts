import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'data-acknowledges-too-much',
  group: 'security',
  faults: [58],
  standard: 'RFC 5961 section 5.2: data that acknowledges what was never sent is dropped',
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
    await c.inject('P.', { seq: 101, ack: 500_000, length: 50 });
    check('an acknowledgement of what is right comes', (await c.expect('.', { end: 11 })) !== undefined);
    check('nothing was taken in', (await s.receive(1, { patienceMs: 100 })).end === 'still waiting');
    await c.send('P.', { length: 100 });
    check('the connection is there', (await s.receive(100)).end === 'enough');
    await c.send('F.');
    await s.receive();
    await s.close();
    await c.expect('F.');
    await c.send('.');
  },
});
