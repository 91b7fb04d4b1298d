import { fat } from '../../harness/fat.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'round-trip',
  group: 'fat',
  faults: [],
  standard:
    'RFC 6298 section 2, RFC 7323 section 4.1: a round trip is measured from what was sent and what acknowledges it',
  path: fat,
  taken: true,
  async run({ client, server, middle, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();

    await c.send(3000);
    await s.receive(3000);
    await s.send(3000);
    await c.receive(3000);
    for (const end of ['client', 'server'] as const) {
      const right = await middle.legIs(end, ({ shortestRoundTrip }) => shortestRoundTrip >= 50);
      check(`our socket takes the way to the ${end} and back for no shorter than it is`, right);
    }
    await c.close();
    await s.receive();
    await s.close();
  },
});
