import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'experimental-option',
  group: 'options',
  faults: [11],
  standard: 'RFC 9293 section 3.1 (MUST-6): an option that is not known is ignored, not an error',
  taken: 'unsupportedOption.experimental',
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open({ mss: 1460 }, { optionBytes: [253, 6, 0xab, 0xcd, 1, 2] });
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
