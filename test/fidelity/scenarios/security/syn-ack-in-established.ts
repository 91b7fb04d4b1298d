import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'syn-ack-in-established',
  group: 'security',
  faults: [58],
  standard: 'RFC 5961 section 4.2: a SYN-ACK for an established connection is answered by a challenge ACK',
  taken: true,
  async run({ client, rawServer, check }) {
    const s = await rawServer.connection();
    const opened = s.open();
    const c = await client.connect({ to: 'raw' });
    await opened;
    await c.send(100);
    await s.expect('.', { end: 101 });
    await s.send('P.', { length: 10 });
    await c.receive(10);
    await s.expect('.', { end: 101 });
    await s.inject('S.', { seq: 0, options: { mss: 1460 } });
    check('a challenge comes', (await s.expect('.', { end: 101 })) !== undefined);
    await s.send('P.', { length: 10 });
    check('the connection is there', (await c.receive(10)).end === 'enough');
    await c.close();
    await s.expect('F.');
    await s.send('F.');
    await s.expect('.', { end: 102 });
  },
});
