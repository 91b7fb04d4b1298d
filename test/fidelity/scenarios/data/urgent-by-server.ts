import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'urgent-by-server',
  group: 'data',
  faults: [42],
  standard: 'RFC 9293 section 3.8.5, RFC 6093: the urgent mark stands at its byte',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await s.send(10);
    await c.receive(10);
    await s.send(10);
    await s.send(1, 'MSG_OOB');
    await c.receive(10);
    await c.receiveUrgent();
    await s.close();
    await c.receive();
    await c.close();
  },
});
