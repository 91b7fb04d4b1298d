import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'client-resets-behind-full-window',
  group: 'ends',
  faults: [34, 38],
  standard: 'RFC 9293 section 3.10.4, ABORT: the reset overtakes what was not yet sent',
  taken: true,
  differences: ['buffered-in-the-middle'],
  async run({ client, server, check }) {
    const listener = await server.listen({ options: { SO_RCVBUF: 8192 } });
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    // More than the server takes; the server does not read.
    await c.send(60_000);
    await c.reset();
    check('the server knows at once', (await s.state('CLOSE', 1000)) === 'CLOSE');
    await s.close();
  },
});
