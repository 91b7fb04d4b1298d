import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'mss-tiny',
  group: 'handshake',
  faults: [15],
  standard: 'RFC 9293 section 3.7.1: an MSS of 48 is obeyed or bounded',
  taken: 'unsupportedOption.tinyMss',
  async run({ rawClient, server }) {
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open({ mss: 48 });
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(400);
    await c.expect('.', { end: 401 });
    await c.send('.');

    await s.close();
    await c.expect('F.');
    await c.send('F.');
    await c.expect('.');
  },
});
