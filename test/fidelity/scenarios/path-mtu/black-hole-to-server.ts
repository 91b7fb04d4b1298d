import { blackHoles } from '../../harness/black-holes.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'black-hole-to-server',
  group: 'path-mtu',
  faults: [20],
  standard:
    'RFC 2923 section 2.1: without ICMP and without probing (RFC 4821) large segments do not arrive; small ones do, and a reset',
  path: blackHoles,
  taken: true,
  differences: ['acknowledged-in-the-middle'],
  async run({ client, server, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();

    await c.send(100);
    await s.receive(100);
    await s.send(100);
    await c.receive(100);
    await c.send(5000);
    const got = await s.receive(5000, { patienceMs: 700 });
    check('nothing large arrives', got.end === 'still waiting');
    await s.reset();
    await c.receive();
    await c.close();
  },
});
