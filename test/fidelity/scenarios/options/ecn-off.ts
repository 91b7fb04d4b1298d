import { scenario } from '../../harness/scenario.js';

const standard = 'RFC 3168 section 6.1.1: who gets no ECE in the SYN-ACK sends without ECN';

/** A server that wants no ECN: the same as without the rule, except that it was never asked. */
export default scenario({
  name: 'ecn-off',
  group: 'options',
  faults: [23],
  standard,
  rule: 'ecnOff',
  taken: true,
  differences: ['no-ecn'],
  async run({ client, server }) {
    await client.sysctl('ipv4/tcp_ecn', 1);
    await server.sysctl('ipv4/tcp_ecn', 0);
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(20_000);
    await s.receive(20_000);
    await s.send(20_000);
    await c.receive(20_000);
    await c.close();
    await s.receive();
    await s.close();
  },
});
