import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'ttl',
  group: 'ip-header',
  faults: [26],
  standard:
    'RFC 9293 section 3.9.1.8: TTL as the sender chose it, less one for each router, also when it changes',
  taken: true,
  async run({ client, server, family }) {
    const ttl = family === 4 ? 'IP_TTL' : 'IPV6_UNICAST_HOPS';
    const listener = await server.listen({ options: { [ttl]: 201 } });
    const c = await client.connect({ options: { [ttl]: 37 } });
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await s.send(100);
    await c.receive(100);
    await c.set(ttl, 99);
    await c.send(100);
    await s.receive(100);
    await s.set(ttl, 55);
    await s.send(5000);
    await c.receive(5000);
    await c.close();
    await s.receive();
    await s.close();
  },
});
