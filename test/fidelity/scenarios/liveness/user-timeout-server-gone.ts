import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'user-timeout-server-gone',
  group: 'liveness',
  faults: [40, 41],
  standard:
    'RFC 9293 section 3.9.1.1 (OPEN, SEND: timeout), RFC 5482: data that is not delivered in time ends the connection',
  taken: true,
  async run({ client, rawServer, check }) {
    const s = await rawServer.connection();
    const opened = s.open();
    const c = await client.connect({ to: 'raw', options: { TCP_USER_TIMEOUT: 500 } });
    await opened;
    await c.send(100);
    await s.expect('.', { end: 101 });
    await s.send('.');
    // From here on the server says nothing.
    await c.send(100);
    await s.expect('.', { end: 201 });
    const { end } = await c.receive(1, { patienceMs: 1500 });
    check('the client hears of it', end !== 'still waiting');
    await c.close();
  },
});
