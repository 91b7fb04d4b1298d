import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'two-clients-one-port',
  group: 'addresses',
  faults: [28, 29],
  standard: 'RFC 9293 section 3.4.1: a connection is known by both addresses and both ports',
  taken: 2,
  async run({ client, rawClient, server, check }) {
    const listener = await server.listen();
    const c = await client.connect({ fromPort: 33_022 });
    const s = await listener.accept();
    const raw = await rawClient.connection({ port: 33_022 });
    await raw.open();
    const other = await listener.accept();
    await c.send(100);
    await raw.send('P.', { length: 200 });
    check('the one', (await s.receive(100)).end === 'enough');
    check('the other', (await other.receive(200)).end === 'enough');
    await s.send(70);
    await other.send(50);
    check('the answer', (await c.receive(70)).end === 'enough');
    await raw.expect('.', { end: 51 });
    await raw.send('F.');
    await other.receive();
    await other.close();
    await raw.expect('F.', { end: 52 });
    await raw.send('.');
    await c.close();
    await s.receive();
    await s.close();
  },
});
