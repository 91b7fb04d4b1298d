import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'window-closed-for-long',
  group: 'liveness',
  faults: [38],
  standard:
    'RFC 9293 section 3.8.6.1 (MUST-36, MUST-37): a window may stay closed as long as the receiver wants',
  taken: true,
  async run({ client, server, middle, check }) {
    // Probes that are answered count against nobody, however few unanswered ones are allowed.
    for (const each of [client, middle]) await each.sysctl('ipv4/tcp_retries2', 2);
    const listener = await server.listen({ options: { SO_RCVBUF: 8192 } });
    const c = await client.connect({ options: { SO_SNDBUF: 16_384 } });
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    // More than the server takes; it does not read for longer than tcp_retries2 lasts.
    const sent = c.send(500_000);
    await s.state('CLOSE', 2500);
    check('all arrives', (await s.receive(500_000)).bytes === 500_000);
    await sent;
    await c.close();
    await s.receive();
    await s.close();
  },
});
