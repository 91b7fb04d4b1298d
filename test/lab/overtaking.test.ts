/** What follows a held segment must not overtake it on its way into a socket (src/engine/catching-up.ts). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bin, useRig } from './harness.js';
import { Program } from './program.js';

const rig = useRig('overtaking', { run: ['-p', '7410-7609'] });
let serving: Program;
/** One in ten was overtaken while the tracker was let go as soon as a look into the TUN found nothing. */
const FLOWS = 60;

beforeAll(async () => {
  serving = new Program('audit serve', rig.lab.spawn('server', [bin, 'audit', 'serve']));
  expect(await serving.lines.until(() => true)).toBe('ready');
});
afterAll(() => serving?.stop());

describe('segments right behind direct data, the first of which go through the engine', () => {
  it.each([4, 6] as const)('reach the socket in the order in which they came, over IPv%s', async (family) => {
    const { server4, server6 } = rig.lab.addresses;
    // Each is repeated with other bytes: what came first counts, so that the stream tells the order.
    const argv = [bin, 'audit', 'run', family === 4 ? server4 : server6, '--case', 'conflicting-repetition'];
    for (let flow = 0; flow < FLOWS; flow++) {
      const { code, stdout } = await rig.lab.run('client', argv, { allowFailure: true, timeoutMs: 60_000 });
      expect(code, stdout).toBe(0);
    }
    expect((await rig.engine.stats()).flows.intercepted).toBeGreaterThanOrEqual(FLOWS);
  });
});
