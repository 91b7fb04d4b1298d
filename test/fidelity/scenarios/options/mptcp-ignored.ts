import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'mptcp-ignored',
  group: 'options',
  faults: [12],
  standard: 'RFC 8684 section 3.1: MP_CAPABLE reaches the server, which may ignore it',
  taken: 'unsupportedOption.mptcp',
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open({ mss: 1460 }, { optionBytes: [30, 12, 0, 0x81, 1, 2, 3, 4, 5, 6, 7, 8] });
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
