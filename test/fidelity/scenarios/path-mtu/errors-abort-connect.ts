import { icmpKind } from '../../../../src/audit/icmp-kinds.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'errors-abort-connect',
  group: 'path-mtu',
  faults: [2, 22],
  standard:
    'RFC 9293 section 3.9.2.2: in SYN-SENT, Linux gives up at any unreachable message, and tells connect() which it was',
  taken: 0,
  async run({ client, rawServer, family, check }) {
    const wanted = {
      portUnreachable: 'ECONNREFUSED',
      protocolUnreachable: family === 4 ? 'ENOPROTOOPT' : 'EPROTO',
      hostUnreachable: 'EHOSTUNREACH',
    } as const;
    for (const [kind, error] of Object.entries(wanted)) {
      const far = await rawServer.connection();
      const connecting = client.connect({ to: 'raw' });
      const syn = await far.expect('S');
      if (!syn) throw new Error('no SYN came');
      await far.icmp(syn, icmpKind(kind as keyof typeof wanted, family));
      check(`${kind} is ${error}`, (await connecting).error === error);
      far.over();
    }
  },
});
