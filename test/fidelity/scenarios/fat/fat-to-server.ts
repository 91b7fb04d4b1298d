import { fat } from '../../harness/fat.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'fat-to-server',
  group: 'fat',
  faults: [10],
  standard:
    'RFC 7323 section 2: windows of more than 64 KiB are used, as the two ends have agreed on by their scales',
  path: fat,
  taken: true,
  async run({ client, server, middle, check }) {
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();

    await c.send(100);
    await s.receive(100);
    await Promise.all([c.send(4_000_000), s.receive(4_000_000)]);
    const open = (window: number) => window > 500_000;
    check('the window that the client was offered has opened', open((await c.peek()).sendWindow));
    const far = await middle.legIs('server', (leg) => open(leg.sendWindow));
    check('so has the one that our socket was offered by the server', far);
    await s.close();
    await c.receive();
    await c.close();
  },
});
