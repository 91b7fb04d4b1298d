import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'option-in-mid-flow',
  group: 'options',
  faults: [11],
  standard: 'RFC 9293 section 3.1 (MUST-5): an option may come in any segment',
  taken: true,
  differences: ['option-in-mid-flow'],
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(100);
    await c.expect('.', { end: 101 });
    await c.send('.');

    await c.send('P.', { length: 50, optionBytes: [254, 4, 0x12, 0x34] });
    await s.receive(50);

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
