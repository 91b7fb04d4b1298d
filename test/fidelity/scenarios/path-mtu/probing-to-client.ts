import { blackHoles } from '../../harness/black-holes.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'probing-to-client',
  group: 'path-mtu',
  faults: [20],
  standard: 'RFC 4821: an end that probes (tcp_mtu_probing) finds the size that passes a black hole',
  path: blackHoles,
  taken: true,
  differences: ['error-for-the-leg'],
  async run({ client, server, middle }) {
    await server.sysctl('ipv4/tcp_mtu_probing', 1);
    // How soon a silence is taken for a black hole.
    await server.sysctl('ipv4/tcp_retries1', 1);
    await middle.sysctl('ipv4/tcp_retries1', 1);
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();

    await c.send(100);
    await s.receive(100);
    await s.send(20_000);
    await c.receive(20_000, { patienceMs: 2500 });
    await c.reset();
    await s.receive();
    await s.close();
  },
});
