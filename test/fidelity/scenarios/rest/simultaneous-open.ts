import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'simultaneous-open',
  group: 'the rest',
  faults: [5],
  standard: 'RFC 9293 section 3.5 figure 7 (MUST-10): both ends send SYN, and both SYNs are answered',
  taken: 'simultaneousOpen',
  async run({ rawClient, rawServer }) {
    const s = await rawServer.connection({ with: 'raw' });
    const c = await rawClient.connection({ with: 'raw' });
    const options = { mss: 1460, sackPermitted: true };
    // The server's end sends its SYN before it has heard of the client's.
    s.peerPort = c.port;
    await c.send('S', { options });
    await s.send('S', { options });
    await s.expect('S');
    await c.expect('S');
    await c.send('S.', { seq: 0, options });
    await s.send('S.', { seq: 0, options });
    await c.expect('S.');
    await s.expect('S.');
    await c.send('P.', { length: 100 });
    await s.receive(101);
    await s.send('P.', { length: 100 });
    await c.receive(101);
    await c.send('F.');
    await s.expect('F.');
    await s.send('F.');
    await c.expect('F.');
    await c.send('.');
    await s.expect('.');
  },
});
