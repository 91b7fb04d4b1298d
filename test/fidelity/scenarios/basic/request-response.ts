import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'request-response',
  group: 'basic',
  faults: [28, 29, 43],
  standard: 'RFC 9293 section 3.3: the bytes arrive in order; the end that closes first keeps TIME_WAIT',
  taken: true,
  async run({ client, server, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(200);
    await s.receive(200);
    await s.send(5000);
    await c.receive(5000);
    await c.close();
    check('the server reads the end', (await s.receive()).end === 'EOF');
    await s.close();
  },
});
