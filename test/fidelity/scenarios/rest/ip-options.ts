import { withHeaders, withOptions } from '../../../lab/ip-changes.js';
import { type Ends, scenario } from '../../harness/scenario.js';

const changes: [what: string, family: 4 | 6, change: (packet: Uint8Array) => Uint8Array, standard: string][] =
  [
    ['4-bytes-of-ip-options', 4, withOptions(4), 'RFC 791 section 3.1: options belong to the datagram'],
    ['40-bytes-of-ip-options', 4, withOptions(40), 'RFC 791 section 3.1: options belong to the datagram'],
    ['hop-by-hop-header', 6, withHeaders(0), 'RFC 8200 section 4.3'],
    ['destination-options', 6, withHeaders(60), 'RFC 8200 section 4.6: for the destination alone'],
    ['routing-header', 6, withHeaders(43), 'RFC 8200 section 4.4: with no segments left it is skipped'],
    ['three-extension-headers', 6, withHeaders(0, 43, 60), 'RFC 8200 section 4.1'],
  ];

async function talk({ rawClient, server }: Ends, change: (packet: Uint8Array) => Uint8Array, first: number) {
  const listener = await server.listen();
  const c = await rawClient.connection();
  let sent = 0;
  c.change = (packet) => (sent++ < first ? packet : change(packet));
  await c.open({ mss: 1200, sackPermitted: true });
  const s = await listener.accept();
  await c.send('P.', { length: 100 });
  await s.receive(100);
  await Promise.all([s.send(3000), c.receive(3001)]);
  await c.send('P.', { length: 1000 });
  await s.receive(1000);
  await s.close();
  await c.expect('F.');
  await c.send('F.');
  await c.expect('.', { end: 3002 });
}

export default changes.flatMap(([what, family, change, standard]) => {
  const common = { group: 'the rest', faults: [48], standard, families: [family] };
  return [
    // Our socket would send without them.
    scenario({
      ...common,
      name: `${what}-in-syn`,
      taken: `unsupportedOption.${family === 4 ? 'ipOptions' : 'extensionHeaders'}`,
      run: (ends) => talk(ends, change, 0),
    }),
    scenario({
      ...common,
      name: `${what}-on-data`,
      taken: true,
      run: (ends) => talk(ends, change, 2),
    }),
  ];
});
