/** Released ends that were told of more room than the other end has: what does not fit is sent again. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Path } from '../fidelity/harness/path.js';
import { countedEnds } from './ends.js';
import type { Engine } from './engine.js';
import { sleep } from './harness.js';

let path: Path;
let nextPort = 14_000;
const MB = 1 << 20;

beforeAll(async () => {
  path = await Path.up('desplice', {});
});
afterAll(() => path?.down());

describe.each([4, 6] as const)('over IPv%s', (family) => {
  it.each(['client', 'server'] as const)('the %s has little room and does not read', async (small) => {
    const counts = await countedEnds(path, family, nextPort++, async ({ client, server, transcript }) => {
      const options = { SO_RCVBUF: 5000 };
      const listener = await server.listen(small === 'server' ? { options } : {});
      const c = await client.connect(small === 'client' ? { options } : {});
      const s = await listener.accept();
      await c.send(100);
      await s.receive(100);
      const [reader, writer] = small === 'client' ? [c, s] : [s, c];
      await writer.send(1000);
      await sleep(100);
      expect(await (path.engine as Engine).release('all', 1)).toMatchObject([{ result: 'released' }]);
      const sending = writer.send(MB);
      await sleep(500);
      expect(await reader.receive(MB + 1000)).toEqual({ bytes: MB + 1000, end: 'enough' });
      await sending;
      await reader.send(500);
      expect(await writer.receive(500)).toEqual({ bytes: 500, end: 'enough' });
      await c.close();
      expect((await s.receive()).end).toBe('EOF');
      expect(transcript.entries.filter(({ result }) => result.includes('wrong'))).toEqual([]);
    });
    expect(counts).toEqual({ 'flows.intercepted': 1 });
  });
});
