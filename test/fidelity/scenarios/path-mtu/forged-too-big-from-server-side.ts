import { icmpKind } from '../../../../src/audit/icmp-kinds.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'forged-too-big-from-server-side',
  group: 'path-mtu',
  faults: [19, 21],
  standard: 'RFC 5927 section 4.1: an ICMP error about bytes that are not in flight is ignored',
  taken: true,
  differences: ['error-for-the-leg'],
  async run({ client, rawServer, middle, family, check }) {
    const listening = rawServer.connection();
    const far = await listening;
    const [near] = await Promise.all([client.connect({ to: 'raw' }), far.open({ mss: 1460 })]);
    await near.send(1000);
    const segment = await far.expect('.', { end: 1001 });
    if (!segment) throw new Error('no data came');
    const tooBig = { ...icmpKind('tooBig', family), mtu: 1280 };
    await far.icmp(segment, { ...tooBig, seq: 1_000_000 });
    await far.icmp(segment, { ...tooBig, seq: -1000 });
    await far.send('.');
    // Acknowledged: what quotes it now is as good as forged.
    await far.icmp(segment, tooBig);
    await far.send('P.', { length: 500 });
    await near.receive(500);
    check('the end has not believed it', (await near.peek()).pathMtu === 1500);
    const unmoved = await middle.legIs('server', ({ pathMtu }) => pathMtu === 1500);
    check('the socket in the middle has not believed it', unmoved);
    await near.send(1400);
    check('nothing is cut smaller', (await far.expect('.', { end: 2401 }))?.payload.length === 1400);
    await far.send('.');
    await near.close();
    await far.expect('F.', { end: 2402 });
    await far.send('F.');
    await far.expect('.');
  },
});
