import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'fin-with-data',
  group: 'ends',
  faults: [35],
  standard: 'RFC 9293 section 3.10.7.4: FIN may ride on the last data; it counts behind it',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();

    await c.send(100);
    await s.receive(100);
    // What waits for more goes out with the FIN, in one segment.
    await c.send(50, 'MSG_MORE');
    await c.shutdown();
    await s.receive();
    await s.send(70, 'MSG_MORE');
    await s.close();
    await c.receive();
    await c.close();
  },
});
