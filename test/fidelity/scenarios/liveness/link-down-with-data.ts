import { scenario } from '../../harness/scenario.js';

export default (['client', 'server'] as const).map((end) =>
  scenario({
    name: `link-of-${end}-down-with-data`,
    group: 'liveness',
    faults: [37, 40],
    standard:
      'RFC 9293 section 3.8.3 (R2): data for an end that is cut off ends the connection when nobody acknowledges it',
    taken: true,
    differences: ['timeout-as-reset'],
    async run({ client, server, middle, check }) {
      // 1.4 seconds (kernel: retransmits_timed_out() counts from the first repetition, 0.6 s, at the next timer).
      for (const each of [client, server, middle]) await each.sysctl('ipv4/tcp_retries2', 1);
      const listener = await server.listen();
      const c = await client.connect();
      const s = await listener.accept();
      await c.send(100);
      await s.receive(100);
      await s.send(10);
      await c.receive(10);
      const [vanishes, stays, host] = end === 'client' ? [c, s, client] : [s, c, server];
      await host.link.down();
      // Nobody hears this reset.
      await vanishes.reset();
      await stays.send(100);
      const { end: how } = await stays.receive(1, { patienceMs: 2800 });
      check('it hears of it in at most twice the time', how !== 'still waiting');
      await stays.close();
    },
  }),
);
