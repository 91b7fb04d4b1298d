import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'window-closed-server-gone',
  group: 'liveness',
  faults: [37, 38],
  standard:
    'RFC 9293 section 3.8.6.1, RFC 6429 section 3: probes of a closed window that nobody answers end the connection',
  taken: true,
  differences: ['timeout-as-reset', 'waits-in-the-middle'],
  async run({ client, rawServer, middle, check }) {
    for (const each of [client, middle]) await each.sysctl('ipv4/tcp_retries2', 1);
    const s = await rawServer.connection();
    const opened = s.open({ mss: 1460 });
    const c = await client.connect({ to: 'raw' });
    await opened;
    await c.send(100);
    await s.expect('.', { end: 101 });
    // Closed, and then gone.
    await s.send('.', { window: 0 });
    await c.send(100);
    const end = await c.receive(1, { patienceMs: 8000 });
    check('the client hears of it', end.end === 'ETIMEDOUT' || end.end === 'ECONNRESET');
    await c.close();
  },
});
