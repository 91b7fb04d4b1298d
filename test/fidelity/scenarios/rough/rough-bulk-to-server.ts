import { rough } from '../../harness/rough.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'rough-bulk-to-server',
  group: 'rough',
  faults: [43, 46],
  standard:
    'RFC 9293 section 3.8: what is lost, repeated or out of order arrives once, in order, byte for byte',
  path: rough,
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();

    await c.send(100);
    await s.receive(100);
    await Promise.all([c.send(1_000_000), s.receive(1_000_000)]);
    // Who ends in which state after the last FIN depends on what the path repeats: one half is left open.
    await c.shutdown();
    await s.receive();
    await c.state('FIN_WAIT2');
  },
});
