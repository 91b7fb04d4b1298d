import { scenario } from '../../harness/scenario.js';

/** Neither end shakes hands here: to the middle that is a connection that was there before it. */
export default scenario({
  name: 'midstream',
  group: 'the rest',
  faults: [52],
  standard:
    'RFC 9293 section 3.10.7.4: segments of an established connection, whose handshake nobody saw here',
  taken: 'midstream',
  async run({ rawClient, rawServer }) {
    const s = await rawServer.connection({ with: 'raw' });
    const c = await rawClient.connection({ with: 'raw' });
    s.peerPort = c.port;
    s.peerIsn = c.isn;
    c.peerIsn = s.isn;
    for (const end of [c, s]) {
      end.next = 1;
      end.received = 1;
    }
    await c.send('P.', { length: 500 });
    await s.receive(501);
    await s.send('P.', { length: 700 });
    await c.receive(701);
    await c.send('P.', { length: 500 });
    await s.receive(1001);
    await c.send('F.');
    await s.expect('F.');
    await s.send('F.');
    await c.expect('F.');
    await c.send('.');
    await s.expect('.');
  },
});
