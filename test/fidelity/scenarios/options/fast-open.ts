import { rawEndsTalk } from '../../harness/raw-talk.js';
import { type Ends, scenario } from '../../harness/scenario.js';

const cookie = { mss: 1460, more: [34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1] };
const request = { mss: 1460, more: [34, 2, 1, 1] };

/** The bytes that do not go into the SYN go behind it. */
async function talk({ client, server, check }: Ends, inSyn: number): Promise<void> {
  // 2: as a server; 0x200: without a cookie; 1 and 4: the same as a client.
  await server.sysctl('ipv4/tcp_fastopen', inSyn > 0 ? 0x202 : 2);
  await client.sysctl('ipv4/tcp_fastopen', inSyn > 0 ? 5 : 1);
  const listener = await server.listen({ options: { TCP_FASTOPEN: 16 } });
  const c = await client.connect({ fastOpen: 500 });
  const s = await listener.accept();
  if (inSyn === 0) await c.send(500);
  await s.receive(500);
  check('TCP_INFO says whether the SYN brought data', (await s.peek()).synData === inSyn > 0);
  await s.send(5000);
  await c.receive(5000);
  await c.close();
  await s.receive();
  await s.close();
}

const common = { group: 'options', faults: [4] };

export default [
  scenario({
    ...common,
    name: 'fast-open-cookie-asked-for',
    randomOptions: true,
    standard: 'RFC 7413 section 4.1.2: the SYN asks, the SYN-ACK gives, and all else is as usual',
    taken: true,
    run: (ends) => talk(ends, 0),
  }),
  scenario({
    ...common,
    name: 'fast-open-data',
    standard: 'RFC 7413 section 4.2: data in the SYN reaches the application before the handshake is over',
    taken: 'dataInSyn',
    run: (ends) => talk(ends, 500),
  }),
  scenario({
    ...common,
    name: 'fast-open-cookie-without-data',
    standard: 'RFC 7413 section 4.2.2: a server may speak as soon as it has seen a cookie',
    taken: 'unsupportedOption.fastOpen',
    run: (ends) => rawEndsTalk(ends, { options: cookie }, { options: { mss: 1460 } }),
  }),
  scenario({
    ...common,
    name: 'fast-open-cookie-stripped',
    standard: 'RFC 7413 section 4.2.2: without a cookie the handshake comes first',
    rule: 'strip',
    taken: true,
    differences: ['stripped'],
    run: (ends) => rawEndsTalk(ends, { options: cookie }, { options: { mss: 1460 } }),
  }),
  scenario({
    ...common,
    name: 'fast-open-request-not-stripped',
    standard: 'RFC 7413 section 4.1.2: a request changes nothing',
    rule: 'strip',
    taken: true,
    run: (ends) => rawEndsTalk(ends, { options: request }, { options: cookie }),
  }),
];
