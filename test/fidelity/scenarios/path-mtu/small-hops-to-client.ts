import { scenario } from '../../harness/scenario.js';
import { smallHops } from '../../harness/small-hops.js';

export default scenario({
  name: 'small-hops-to-client',
  group: 'path-mtu',
  faults: [18, 19, 47],
  standard:
    'RFC 9293 section 3.7.2 (MUST-54), RFC 1191, RFC 8201: a segment that is too large for a hop is sent again in smaller ones; here without tcp_mtu_probing',
  path: smallHops,
  taken: true,
  differences: ['error-for-the-leg'],
  async run({ client, server, middle, check }) {
    await client.sysctl('ipv4/tcp_mtu_probing', 0);
    await server.sysctl('ipv4/tcp_mtu_probing', 0);
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();

    await c.send(100);
    await s.receive(100);
    for (const end of ['client', 'server'] as const) {
      const ordinary = await middle.legIs(end, (leg) => leg.pathMtu === 1500 && leg.advertisedMss <= 1460);
      check(`the socket that faces the ${end} has the MTU of its link, not of the loopback`, ordinary);
    }
    await Promise.all([s.send(10_000_000), c.receive(10_000_000)]);
    check('the server has heard of its router', (await s.peek()).pathMtu <= 1400);
    check('the client has sent nothing that was too large', (await c.peek()).pathMtu === 1500);
    const leg = await middle.legIs('client', ({ pathMtu }) => pathMtu === 1300);
    check("the socket that faces the client has heard of the client's router", leg);
    await c.close();
    await s.receive();
    await s.close();
  },
});
