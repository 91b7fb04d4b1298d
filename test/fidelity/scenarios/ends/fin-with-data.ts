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
    // A corked socket sends its last bytes and the FIN in one segment.
    await c.set('TCP_CORK', 1);
    await c.send(50);
    await c.shutdown();
    await s.receive();
    await s.set('TCP_CORK', 1);
    await s.send(70);
    await s.close();
    await c.receive();
    await c.close();
  },
});
