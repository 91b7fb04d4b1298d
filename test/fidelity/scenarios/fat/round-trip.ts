import { fat } from '../../harness/fat.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'round-trip',
  group: 'fat',
  faults: [],
  standard:
    'RFC 6298 section 2, RFC 7323 section 4.1: a round trip is measured from what was sent and what acknowledges it',
  path: fat,
  taken: true,
  fault:
    'RequestSockets.make() of src/engine/takeover-request.ts puts the last TSval into the TSecr of its ACK, and the kernel takes that for a round trip of 1 ms (tcp_synack_rtt_meas()): BBR then sends at a twentieth of the speed for ten seconds, others probe too early. With TSecr 0 there is no measurement, and ts_off comes from the attributes anyway',
  async run({ client, server, middle, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();

    await c.send(3000);
    await s.receive(3000);
    await s.send(3000);
    await c.receive(3000);
    for (const end of ['client', 'server'] as const) {
      const right = await middle.legIs(end, ({ shortestRoundTrip }) => shortestRoundTrip >= 50);
      check(`our socket takes the way to the ${end} and back for no shorter than it is`, right);
    }
    await c.close();
    await s.receive();
    await s.close();
  },
});
