import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'data-client-gone',
  group: 'liveness',
  faults: [37, 40],
  standard: 'RFC 9293 section 3.8.3 (R2): data that nobody acknowledges ends the connection',
  taken: true,
  differences: ['timeout-as-reset'],
  async run({ server, rawClient, middle, check }) {
    // 1.4 seconds (kernel: retransmits_timed_out() counts from the first repetition, 0.6 s, at the next timer)
    for (const each of [server, middle]) await each.sysctl('ipv4/tcp_retries2', 1);
    const listener = await server.listen();
    const c = await rawClient.connection();
    await c.open();
    const s = await listener.accept();
    await c.send('P.', { length: 100 });
    await s.receive(100);
    await s.send(100);
    await c.expect('.', { end: 101 });
    await c.send('.');
    // From here on the client says nothing.
    await s.send(100);
    const { end } = await s.receive(1, { patienceMs: 2800 });
    check('the server hears of it in at most twice the time', end !== 'still waiting');
    await s.close();
  },
});
