import { eachWay } from '../../harness/each-way.js';
import { fat } from '../../harness/fat.js';

export default eachWay({
  name: 'fat',
  group: 'fat',
  faults: [10],
  standard:
    'RFC 7323 section 2: windows of more than 64 KiB are used, as the two ends have agreed on by their scales',
  path: fat,
  taken: true,
  async run({ middle, check }, { to, from, meet }) {
    const { sender, receiver } = await meet();
    await Promise.all([sender.send(4_000_000), receiver.receive(4_000_000)]);
    const open = (window: number) => window > 500_000;
    check(`the window that the ${from} was offered has opened`, open((await sender.peek()).sendWindow));
    const far = await middle.legIs(to, (leg) => open(leg.sendWindow));
    check(`so has the one that our socket was offered by the ${to}`, far);
    await receiver.close();
    await sender.receive();
    await sender.close();
  },
});
