import { blackHoles } from '../../harness/black-holes.js';
import { eachWay } from '../../harness/each-way.js';

export default eachWay({
  name: 'probing',
  group: 'path-mtu',
  faults: [20],
  standard: 'RFC 4821: an end that probes (tcp_mtu_probing) finds the size that passes a black hole',
  path: blackHoles,
  taken: true,
  differences: ['error-for-the-leg'],
  async run(ends, { from, meet }) {
    await ends[from].sysctl('ipv4/tcp_mtu_probing', 1);
    // How soon a silence is taken for a black hole.
    await ends[from].sysctl('ipv4/tcp_retries1', 1);
    await ends.middle.sysctl('ipv4/tcp_retries1', 1);
    const { sender, receiver } = await meet();
    await sender.send(20_000);
    await receiver.receive(20_000, { patienceMs: 2500 });
    await receiver.reset();
    await sender.receive();
    await sender.close();
  },
});
