import { icmpKind } from '../../../../src/audit/icmp-kinds.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'errors-before-data',
  group: 'path-mtu',
  faults: [19],
  standard:
    'RFC 792, RFC 4443 section 3: errors about what an end has sent itself reach it; nothing is taken as long as no data has come',
  taken: 'noData',
  async run({ client, rawServer, family }) {
    const far = await rawServer.connection();
    const opened = far.open({ mss: 1460 });
    const c = await client.connect({ to: 'raw' });
    await opened;
    const ack = far.last;
    if (!ack) throw new Error('no ACK came');
    await far.icmp(ack, { ...icmpKind('tooBig', family), mtu: 1300 });
    await far.icmp(ack, icmpKind('hostUnreachable', family));
    await far.icmp(ack, icmpKind('timeExceeded', family));
    await far.send('F.');
    await c.receive();
    await c.close();
    await far.expect('F.');
    await far.send('.');
  },
});
