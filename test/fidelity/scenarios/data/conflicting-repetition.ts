import { conflicting } from '../../../../src/audit/exchanges.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'conflicting-repetition',
  group: 'data',
  faults: [43],
  standard: 'RFC 9293 section 3.10.7.4: what was taken in stays, also when it is repeated with other bytes',
  taken: true,
  async run({ rawClient, server, check }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await conflicting(c);
    check('the first of each counts', (await s.receive(200)).end === 'enough');
    await s.send(10);
    await c.expect('.', { end: 11 });
    await c.send('F.');
    await s.receive();
    await s.close();
    await c.expect('F.', { end: 12 });
    await c.send('.');
  },
});
