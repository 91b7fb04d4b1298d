import { icmpKind } from '../../../../src/audit/icmp-kinds.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'too-big-from-client-side',
  group: 'path-mtu',
  faults: [17, 18, 19, 47],
  standard:
    'RFC 9293 section 3.7.2 (MUST-54), RFC 1191, RFC 8201: what is in flight goes again in segments that fit, and nothing larger follows',
  taken: true,
  differences: ['error-for-the-leg'],
  async run({ server, rawClient, middle, family, check }) {
    const listener = await server.listen();
    const far = await rawClient.connection();
    await far.open({ mss: 1460 });
    const near = await listener.accept();
    await near.send(1400);
    const segment = await far.expect('.', { end: 1401 });
    if (!segment) throw new Error('no data came');
    await far.icmp(segment, { ...icmpKind('tooBig', family), mtu: 1300 });
    const again = await far.expect('.', { end: family === 4 ? 1261 : 1241 });
    check('the first part comes again', again?.payload.length === 1300 - (family === 4 ? 40 : 60));
    await far.send('.');
    const leg = await middle.legIs('client', ({ pathMtu, mss }) => pathMtu === 1300 && mss <= 1260);
    check('the socket in the middle has heard of it', leg);
    await near.send(5000);
    await far.expect('.', { end: 6401 });
    await far.send('.');
    const longest = Math.max(...far.lengths.slice(far.lengths.indexOf(again?.payload.length ?? 0)));
    check('nothing larger has followed', longest <= 1260);
    await near.close();
    await far.expect('F.', { end: 6402 });
    await far.send('F.');
    await far.expect('.');
  },
});
