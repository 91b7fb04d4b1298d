import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'reuse-port-client-reset',
  group: 'ends',
  faults: [6, 34],
  standard:
    'RFC 9293 section 3.10.7.4: a reset ends a connection at once, without TIME_WAIT; the ports are free',
  taken: 2,
  async run({ client, server, check }) {
    const listener = await server.listen();
    for (let round = 1; round <= 2; round++) {
      const c = await client.connect({ fromPort: 33_011 });
      check(`connection ${round} opens`, c.error === '0');
      const s = await listener.accept();
      await c.send(100);
      await s.receive(100);
      await s.send(100);
      await c.receive(100);
      await c.reset();
      await s.state('CLOSE');
      await s.close();
    }
  },
});
