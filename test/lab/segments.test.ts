/** Segments in an order that no kernel sends, and in frames that this machine has no device for. */
import { expect, it } from 'vitest';
import { counts, useRig } from './harness.js';
import type { Program } from './program.js';

const rig = useRig('segments');
const [DOT1Q, DOT1AD] = [0x8100, 0x88a8];

const scenarios: [string, { segments?: number; order?: (string | number)[]; tags?: number[] }][] = [
  ['the third ACK, then data', { order: ['ack', 0] }],
  ['data in the segment of the third ACK', { order: [0] }],
  ['data before the third ACK', { order: [0, 'ack'] }],
  [
    'the second segment of data before the third ACK, and the first behind it',
    { segments: 2, order: [1, 'ack', 0] },
  ],
  ['the first data twice', { order: ['ack', 0, 0] }],
  ['a priority tag, which the kernel moves into the skb', { tags: [DOT1Q] }],
  ['two tags, of which one stays in the frame', { tags: [DOT1AD, DOT1Q] }],
];

it.each(scenarios)('%s', async (_what, options) => {
  const port = rig.port();
  await rig.serve({ port, mode: 'echo' });
  const gained = await rig.counted(async () => {
    const client: Program = await rig.rawClient({ port, ...options });
    expect(await client.line((line) => line.startsWith('{"ok"'))).toEqual({ ok: true, resent: 0 });
  });
  expect(counts(gained)).toEqual({ intercepted: 1 });
  expect(gained.handshakes).toMatchObject({ seen: 1, completed: 1 });
  expect(gained.flows).toMatchObject({ closed: 1, reset: 0 });
});
