import { rough } from '../../harness/rough.js';
import { scenario } from '../../harness/scenario.js';

const connections = 12;

export default scenario({
  name: 'rough-connections',
  group: 'rough',
  faults: [43, 46],
  standard:
    'RFC 9293 section 3.5: a handshake whose segments are lost, repeated or out of order ends well, and so does what follows',
  path: rough,
  taken: connections,
  async run({ client, server }) {
    const listener = await server.listen();
    for (let i = 0; i < connections; i++) {
      const c = await client.connect();
      const s = await listener.accept();
      await c.send(5000);
      await s.receive(5000);
      await s.send(5000);
      await c.receive(5000);
      await c.shutdown();
      await s.receive();
      await c.state('FIN_WAIT2');
    }
  },
});
