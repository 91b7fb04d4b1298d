import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'dscp',
  group: 'ip-header',
  faults: [25],
  standard: 'RFC 2474 section 3, RFC 9293 section 3.9.1.9: DSCP as the sender chose it, also when it changes',
  taken: true,
  async run({ client, server, family }) {
    const tos = family === 4 ? 'IP_TOS' : 'IPV6_TCLASS';
    const listener = await server.listen({ options: { [tos]: 0x48 } });
    const c = await client.connect({ options: { [tos]: 0x28 } });
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await s.send(100);
    await c.receive(100);
    await c.set(tos, 0xb8);
    await c.send(100);
    await s.receive(100);
    await s.set(tos, 0x20);
    await s.send(5000);
    await c.receive(5000);
    await c.close();
    await s.receive();
    await s.close();
  },
});
