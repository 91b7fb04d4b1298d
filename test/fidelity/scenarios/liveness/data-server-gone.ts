import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'data-server-gone',
  group: 'liveness',
  faults: [37, 40],
  standard: 'RFC 9293 section 3.8.3 (R2): data that nobody acknowledges ends the connection',
  taken: true,
  differences: ['timeout-as-reset'],
  async run({ client, rawServer, middle, check }) {
    // 1.4 seconds (kernel: retransmits_timed_out() counts from the first repetition, 0.6 s, at the next timer).
    for (const each of [client, middle]) await each.sysctl('ipv4/tcp_retries2', 1);
    const s = await rawServer.connection();
    const opened = s.open();
    const c = await client.connect({ to: 'raw' });
    await opened;
    await c.send(100);
    await s.expect('.', { end: 101 });
    await s.send('.');
    // From here on the server says nothing.
    await c.send(100);
    await s.expect('.', { end: 201 });
    const { end } = await c.receive(1, { patienceMs: 2800 });
    check('the client hears of it in at most twice the time', end !== 'still waiting');
    await c.close();
  },
});
