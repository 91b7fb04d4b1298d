import { fat } from '../../harness/fat.js';
import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'fat-to-client',
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
    await Promise.all([s.send(4_000_000), c.receive(4_000_000)]);
    const open = (window: number) => window > 500_000;
    check('the window that the server was offered has opened', open((await s.peek()).sendWindow));
    const far = await middle.legIs('client', (leg) => open(leg.sendWindow));
    check('so has the one that our socket was offered by the client', far);
    await c.close();
    await s.receive();
    await s.close();
  },
});
