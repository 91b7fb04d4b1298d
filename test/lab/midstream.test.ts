/** Connections that are older than the engine go on as if it were not there, and are counted once. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Path } from '../fidelity/harness/path.js';
import { countedEnds } from './ends.js';

let path: Path;

beforeAll(async () => {
  path = await Path.up('forwarding', {});
});
afterAll(() => path?.down());

it('idle, half-closed, or with data on its way', async () => {
  for (const [family, port] of [
    [4, 10_100],
    [6, 10_101],
  ] as const) {
    await countedEnds(path, family, port, async ({ client, server }) => {
      const listener = await server.listen();
      const connect = async () => [await client.connect(), await listener.accept()] as const;
      const [idle, half, busy] = [await connect(), await connect(), await connect()];
      await idle[0].send(100);
      await idle[1].receive(100);
      await half[0].send(100);
      await half[0].shutdown();
      await half[1].receive();
      const sending = busy[0].send(8_000_000);
      const reading = busy[1].receive(8_000_000);
      await path.startEngine();
      try {
        for (let i = 0; i < 3; i++) {
          await idle[1].send(100);
          expect((await idle[0].receive(100)).end).toBe('enough');
        }
        await half[1].send(100_000);
        expect((await half[0].receive(100_000)).end).toBe('enough');
        await Promise.all([sending, reading]);
        await busy[1].send(100);
        expect((await busy[0].receive(100)).end).toBe('enough');
        for (const [c, s] of [idle, half, busy]) {
          await s.close();
          expect((await c.receive()).end).toBe('EOF');
          await c.close();
        }
        expect((await path.stats()).forwarded).toMatchObject({ midstream: 3 });
        expect((await path.stats()).flows).toMatchObject({ intercepted: 0 });
      } finally {
        await path.engine?.stop();
        path.engine = undefined;
      }
    });
  }
});
