import { eachWay } from '../../harness/each-way.js';
import { smallHops } from '../../harness/small-hops.js';

export default eachWay({
  name: 'small-hops',
  group: 'path-mtu',
  faults: [18, 19, 47],
  standard:
    'RFC 9293 section 3.7.2 (MUST-54), RFC 1191, RFC 8201: a segment that is too large for a hop is sent again in smaller ones; here without tcp_mtu_probing',
  path: smallHops,
  taken: true,
  differences: ['error-for-the-leg'],
  async run({ client, server, middle, check }, { to, from, meet }) {
    await client.sysctl('ipv4/tcp_mtu_probing', 0);
    await server.sysctl('ipv4/tcp_mtu_probing', 0);
    const { sender, receiver } = await meet();
    for (const end of ['client', 'server'] as const) {
      const ordinary = await middle.legIs(end, (leg) => leg.pathMtu === 1500 && leg.advertisedMss <= 1460);
      check(`the socket that faces the ${end} has the MTU of its link, not of the loopback`, ordinary);
    }
    await Promise.all([sender.send(10_000_000), receiver.receive(10_000_000)]);
    check(`the ${from} has heard of its router`, (await sender.peek()).pathMtu <= 1400);
    check(`the ${to} has sent nothing that was too large`, (await receiver.peek()).pathMtu === 1500);
    const leg = await middle.legIs(to, ({ pathMtu }) => pathMtu === 1300);
    check(`the socket that faces the ${to} has heard of the ${to}'s router`, leg);
    await receiver.close();
    await sender.receive();
    await sender.close();
  },
});
