import type { Listener } from '../../harness/host.js';
import { scenario } from '../../harness/scenario.js';
import type { Socket } from '../../harness/socket.js';

interface Pair {
  c: Socket;
  s: Socket;
}

/** All at once: what is sent to one must not show at another, nor must the end of one. */
export default scenario({
  name: 'one-port-many-servers',
  group: 'addresses',
  faults: [6, 28, 29, 30],
  standard:
    'RFC 9293 section 3.4.1: a connection is known by both addresses and both ports, whatever else these serve',
  taken: 6,
  async run({ client, server, check }) {
    const fromPort = 33_023;
    const addresses = await server.aliases(5);
    const listeners: Listener[] = [];
    for (const at of addresses) listeners.push(await server.listen({ at }));
    const open = async (i: number) => {
      const c = await client.connect({ to: addresses[i], fromPort });
      const s = await listeners[i]?.accept();
      if (!s) throw new Error(`there is no server ${i}`);
      return { c, s };
    };
    const all = [];
    for (let i = 0; i < 5; i++) all.push(await open(i));
    // Lengths of their own: the bytes of a stream are the same for all.
    for (const [i, { c }] of all.entries()) await c.send(100 + i);
    for (const [i, { s }] of all.entries()) {
      check(`server ${i} gets its own`, (await s.receive(100 + i)).end === 'enough');
      await s.send(200 + i);
    }
    for (const [i, { c }] of all.entries()) {
      check(`the answer of server ${i}`, (await c.receive(200 + i)).end === 'enough');
    }
    const [closed, closing, reset, resets, stays] = all as [Pair, Pair, Pair, Pair, Pair];
    await closed.c.close();
    check('the first ends', (await closed.s.receive()).end === 'EOF');
    await closed.s.close();
    await closing.s.close();
    check('the second ends', (await closing.c.receive()).end === 'EOF');
    await closing.c.close();
    await reset.c.reset();
    check('the third is reset', (await reset.s.receive()).end === 'ECONNRESET');
    await reset.s.close();
    await resets.s.reset();
    check('the fourth is reset', (await resets.c.receive()).end === 'ECONNRESET');
    await resets.c.close();
    // After a reset the ports are free at once.
    const again = await open(2);
    await again.c.send(300);
    check('the third is there again', (await again.s.receive(300)).end === 'enough');
    await stays.s.send(400_000);
    check('the fifth goes on', (await stays.c.receive(400_000)).end === 'enough');
    for (const { c, s } of [again, stays]) {
      await c.close();
      check('nothing else came', (await s.receive()).bytes === 0);
      await s.close();
    }
  },
});
