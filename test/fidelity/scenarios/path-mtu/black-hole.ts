import { blackHoles } from '../../harness/black-holes.js';
import { eachWay } from '../../harness/each-way.js';

export default eachWay({
  name: 'black-hole',
  group: 'path-mtu',
  faults: [20],
  standard:
    'RFC 2923 section 2.1: without ICMP and without probing (RFC 4821) large segments do not arrive; small ones do, and a reset',
  path: blackHoles,
  taken: true,
  differences: ['acknowledged-in-the-middle'],
  async run({ check }, { meet }) {
    const { sender, receiver, c, s } = await meet();
    await s.send(100);
    await c.receive(100);
    await sender.send(5000);
    const got = await receiver.receive(5000, { patienceMs: 700 });
    check('nothing large arrives', got.end === 'still waiting');
    await receiver.reset();
    await sender.receive();
    await sender.close();
  },
});
