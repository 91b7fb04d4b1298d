import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'md5-without-key',
  group: 'options',
  faults: [12],
  standard: 'RFC 2385 section 2.0: a server that has no key gets the signed SYN and drops it in silence',
  taken: 'unsupportedOption.md5',
  async run({ rawClient, server }) {
    await server.listen();
    const c = await rawClient.connection();
    const signature = Array.from({ length: 16 }, (_, i) => i);
    await c.send('S', { options: { mss: 1460 }, optionBytes: [19, 18, ...signature] });
    await c.expect('S.', { patienceMs: 300 });
  },
});
