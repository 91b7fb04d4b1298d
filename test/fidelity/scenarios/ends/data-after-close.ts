import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'data-after-close',
  group: 'ends',
  faults: [34, 35],
  standard: 'RFC 9293 section 3.10.7.4 (SHLD-3): data for an end that has closed is answered by a reset',
  taken: true,
  differences: ['reset-by-a-socket'],
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await s.close();
    await c.receive();
    await c.send(100);
    await c.state('CLOSE');
    await c.send(100);
    await c.pendingError();
    await c.close();
  },
});
