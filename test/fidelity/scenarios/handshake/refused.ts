import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'refused',
  group: 'handshake',
  faults: [1, 2],
  standard:
    'RFC 9293 section 3.10.7.1: a closed port answers SYN with RST, and connect() fails with ECONNREFUSED',
  taken: 'handshakes.refused',
  async run({ client, check }) {
    const c = await client.connect();
    check('connect() is refused', c.error === 'ECONNREFUSED');
  },
});
