import { icmpKind } from '../../../../src/audit/icmp-kinds.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'soft-errors-from-server-side',
  group: 'path-mtu',
  faults: [19, 22],
  standard: 'RFC 9293 section 3.9.2.2 (MUST-56), RFC 5461: a soft error does not end a connection',
  taken: true,
  differences: ['error-for-the-leg'],
  async run({ client, rawServer, family, check }) {
    const listening = rawServer.connection();
    const far = await listening;
    const [near] = await Promise.all([client.connect({ to: 'raw' }), far.open({ mss: 1460 })]);
    await near.send(1000);
    const segment = await far.expect('.', { end: 1001 });
    if (!segment) throw new Error('no data came');
    for (const kind of [
      'hostUnreachable',
      'timeExceeded',
      'parameterProblem',
      'portUnreachable',
      'protocolUnreachable',
    ] as const) {
      await far.icmp(segment, icmpKind(kind, family));
    }
    await far.send('P.', { length: 500 });
    await near.receive(500);
    check('the connection is as it was', (await near.peek()).state === 'ESTABLISHED');
    await near.pendingError();
    await near.send(1000);
    await far.expect('.', { end: 2001 });
    await far.send('.');
    await near.close();
    await far.expect('F.', { end: 2002 });
    await far.send('F.');
    await far.expect('.');
  },
});
