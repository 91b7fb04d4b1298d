import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'one-port-two-servers',
  group: 'addresses',
  faults: [28, 29, 30],
  standard: 'RFC 9293 section 3.4.1: a connection is known by both addresses and both ports',
  taken: 2,
  async run({ client, server, rawServer, check }) {
    const listener = await server.listen();
    const raw = await rawServer.connection();
    const c = await client.connect({ fromPort: 33_021 });
    const s = await listener.accept();
    const opened = raw.open();
    const other = await client.connect({ fromPort: 33_021, to: 'raw' });
    await opened;
    check('the second one opens', other.error === '0');
    await c.send(100);
    await other.send(200);
    check('the first server gets its own', (await s.receive(100)).end === 'enough');
    await raw.expect('.', { end: 201 });
    await raw.send('P.', { length: 50 });
    await s.send(70);
    check('the first answer', (await c.receive(70)).end === 'enough');
    check('the second answer', (await other.receive(50)).end === 'enough');
    await c.close();
    await s.receive();
    await s.close();
    await other.close();
    await raw.expect('F.', { end: 202 });
    await raw.send('F.');
    await raw.expect('.', { end: 202 });
  },
});
