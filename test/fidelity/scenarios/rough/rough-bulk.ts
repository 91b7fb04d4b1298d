import { eachWay } from '../../harness/each-way.js';
import { rough } from '../../harness/rough.js';

export default eachWay({
  name: 'rough-bulk',
  group: 'rough',
  faults: [43, 46],
  standard:
    'RFC 9293 section 3.8: what is lost, repeated or out of order arrives once, in order, byte for byte',
  path: rough,
  taken: true,
  async run(_, { meet }) {
    const { sender, receiver, c, s } = await meet();
    await Promise.all([sender.send(1_000_000), receiver.receive(1_000_000)]);
    // Who ends in which state after the last FIN depends on what the path repeats: one half is left open.
    await c.shutdown();
    await s.receive();
    await c.state('FIN_WAIT2');
  },
});
