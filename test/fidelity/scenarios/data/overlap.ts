import { overlapping } from '../../../../src/audit/exchanges.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'overlap',
  group: 'data',
  faults: [43],
  standard: 'RFC 9293 section 3.10.7.4: of segments that overlap, what is new is taken',
  taken: true,
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await overlapping(c);
    check('every byte is in its place', (await s.receive(500)).end === 'enough');
    await s.send(10);
    await c.expect('.', { end: 11 });
    await c.send('F.');
    await s.receive();
    await s.close();
    await c.expect('F.', { end: 12 });
    await c.send('.');
  },
});
