import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'urgent-by-client',
  group: 'data',
  faults: [42],
  standard: 'RFC 9293 section 3.8.5, RFC 6093: the urgent mark stands at its byte',
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(10);
    await s.receive(10);
    await c.send(10);
    await c.send(1, 'MSG_OOB');
    await s.receive(10);
    await s.receiveUrgent();
    await c.send(10);
    await s.receive(10);
    await c.close();
    await s.receive();
    await s.close();
  },
});
