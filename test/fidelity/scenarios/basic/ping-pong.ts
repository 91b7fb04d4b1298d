import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'ping-pong',
  group: 'basic',
  faults: [45],
  standard: 'RFC 9293 section 3.9.1.2 (MUST-61): pushed data is delivered without waiting for more',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    for (let i = 0; i < 40; i++) {
      await c.send(20);
      await s.receive(20);
      await s.send(30);
      await c.receive(30);
    }
    await c.close();
    await s.receive();
    await s.close();
  },
});
