import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'flow-label',
  group: 'ip-header',
  faults: [49],
  standard: 'RFC 6437 section 3: a forwarding node leaves the flow label alone',
  families: [6],
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect({ flowLabel: 0x1234 });
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await s.send(5000);
    await c.receive(5000);
    await c.close();
    await s.receive();
    await s.close();
  },
});
