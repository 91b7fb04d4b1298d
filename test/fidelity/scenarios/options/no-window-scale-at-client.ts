import { scenario } from '../../harness/scenario.js';

export default scenario({
  name: 'no-window-scale-at-client',
  group: 'options',
  faults: [10],
  standard: 'RFC 7323 section 2.2: without agreement windows are not scaled',
  taken: true,
  async run({ client, server }) {
    await client.sysctl('ipv4/tcp_window_scaling', 0);
    const listener = await server.listen();
    const c = await client.connect();
    const s = await listener.accept();
    await c.send(100);
    await s.receive(100);
    await c.send(20_000);
    await s.receive(20_000);
    await Promise.all([s.send(300_000), c.receive(300_000)]);
    await c.close();
    await s.receive();
    await s.close();
  },
});
