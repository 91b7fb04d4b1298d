import { rough } from '../../harness/rough.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'rough-ping-pong',
  group: 'rough',
  faults: [43, 46],
  standard: 'RFC 9293 section 3.8: each message arrives, however often it was lost or repeated',
  path: rough,
  taken: true,
  async run({ client, server }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();

    for (let i = 0; i < 10; i++) {
      await c.send(300);
      await s.receive(300);
      await s.send(700);
      await c.receive(700);
    }
    await s.shutdown();
    await c.receive();
    await s.state('FIN_WAIT2');
  },
});
