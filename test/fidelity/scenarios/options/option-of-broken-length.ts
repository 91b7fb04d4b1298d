import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'option-of-broken-length',
  group: 'options',
  faults: [13],
  standard: 'RFC 9293 section 3.1 (MUST-7): an option length that cannot be is survived',
  taken: true,
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open({ mss: 1460 }, { optionBytes: [77, 40, 0, 0] });
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(100);
    await c.expect('.', { end: 101 });
    await c.send('.');

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
