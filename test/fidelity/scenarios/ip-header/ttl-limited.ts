import { scenario } from '../../harness/scenario.js';

/** What a traceroute inside of a connection sends. */
export default (['client', 'server'] as const).map((end) =>
  scenario({
    name: `ttl-limited-by-${end}`,
    group: 'ip-header',
    faults: [26, 60],
    standard:
      'RFC 1812 section 5.3.1, RFC 8200 section 3: a router drops what has a TTL of 1, says so, and nothing of it arrives',
    taken: true,
    async run({ client, server, rawClient, rawServer, check }) {
      const listener = end === 'client' ? await server.listen() : undefined;
      const raw = await (end === 'client' ? rawClient : rawServer).connection();
      const opened = raw.open();
      const connected = listener ? undefined : await client.connect({ to: 'raw' });
      await opened;
      const socket = connected ?? (await listener?.accept());
      if (!socket) return;
      await raw.send('P.', { length: 100 });
      await socket.receive(100);
      await socket.send(10);
      await raw.expect('.', { end: 11 });
      await raw.send('.');
      await raw.send('P.', { length: 50, ttl: 1, wrongBytes: true, aside: true });
      check('nothing arrives', (await socket.receive(1, { patienceMs: 200 })).end === 'still waiting');
      // Acknowledged at once, by whom it may be: not with the TTL of what did not pass.
      await socket.send(5000);
      await raw.receive(5011);
      await raw.send('P.', { length: 100 });
      check('what can pass arrives', (await socket.receive(100)).end === 'enough');
      await raw.send('F.');
      await socket.receive();
      await socket.close();
      await raw.expect('F.');
      await raw.send('.');
    },
  }),
);
