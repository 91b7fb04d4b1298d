import { scenario } from '../../harness/scenario.js';
import { smallHops } from '../../harness/small-hops.js';

export default scenario({
  name: 'small-hops-to-server',
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
    await Promise.all([c.send(10_000_000), s.receive(10_000_000)]);
    check('the client has heard of its router', (await c.peek()).pathMtu <= 1400);
    check('the server has sent nothing that was too large', (await s.peek()).pathMtu === 1500);
    const leg = await middle.legIs('server', ({ pathMtu }) => pathMtu === 1300);
    check("the socket that faces the server has heard of the server's router", leg);
    await s.close();
    await c.receive();
    await c.close();
  },
});
