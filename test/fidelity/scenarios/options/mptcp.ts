import { type Ends, scenario } from '../../harness/scenario.js';

async function talk({ client, server }: Ends, atServer: 'TCP' | 'MPTCP'): Promise<void> {
  const listener = await server.listen({ protocol: atServer });
  const c = await client.connect({ protocol: 'MPTCP' });
  const s = await listener.accept();
  await c.send(20_000);
  await s.receive(20_000);
  await s.send(20_000);
  await c.receive(20_000);
  await c.close();
  await s.receive();
  await s.close();
}

export default [
  scenario({
    name: 'mptcp',
    group: 'options',
    faults: [12],
    randomOptions: true,
    standard: 'RFC 8684 section 3.1: both ends agree on MPTCP',
    taken: 'unsupportedOption.mptcp',
    run: (ends) => talk(ends, 'MPTCP'),
  }),
  scenario({
    name: 'mptcp-stripped',
    group: 'options',
    faults: [12],
    standard: 'RFC 8684 section 3.7: a client that gets no answer to MP_CAPABLE goes on as usual',
    rule: 'strip',
    taken: true,
    differences: ['stripped'],
    run: (ends) => talk(ends, 'TCP'),
  }),
];
