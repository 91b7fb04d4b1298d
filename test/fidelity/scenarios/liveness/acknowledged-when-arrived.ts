import { scenario } from '../../harness/scenario.js';

/** Less than any retransmission timer waits (TCP_RTO_MIN). */
const DELAY_MS = 120;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export default scenario({
  name: 'acknowledged-when-arrived',
  group: 'liveness',
  faults: [41],
  standard: 'RFC 9293 section 3.4: an acknowledgement says that its receiver has what was sent',
  taken: true,
  async run({ client, rawServer, check }) {
    const s = await rawServer.connection();
    const opened = s.open();
    const c = await client.connect({ to: 'raw' });
    await opened;
    await c.send(100);
    await s.expect('.', { end: 101 });
    await s.send('.');
    await c.acknowledged();
    for (const end of [201, 301, 401]) {
      await c.send(100);
      await s.expect('.', { end });
      await pause(DELAY_MS);
      check('it waits for the server', (await c.unacknowledged()) === 100);
      await s.send('.');
      await c.acknowledged();
    }
    await s.send('P.', { length: 50 });
    await c.receive(50);
    await c.close();
    await s.expect('F.');
    await s.send('F.');
    await s.expect('.', { end: 402 });
  },
});
