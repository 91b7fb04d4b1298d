/** Interceptions of the library from their start to their end, in one process that lives on. */
import { expect, it } from 'vitest';
import { useRig } from './harness.js';

interface Told {
  failed: string[];
  died: string;
  closed: unknown[];
  leaked: number;
}

const rig = useRig('lifecycle', { run: null });

it('failures are told by `ready` and `closed` alone, and an end leaves no descriptor', async () => {
  const port = rig.port();
  await rig.serve({ port, mode: 'short' });
  const program = await rig.start('middle', 'lifecycle.mjs', { port });
  await program.line((line) => line.includes('connect'));
  // One of them is decided on.
  let over = false;
  const connecting = (async () => {
    while (!over)
      await rig.client({ host: rig.lab.addresses.server4, port, flows: 1, send: 10, expect: 100 });
  })();
  const told = await program.line<Told>((line) => line.includes('leaked'));
  expect(told.failed).toEqual([
    expect.stringMatching(/^rejected: .*not-there/),
    expect.stringMatching(/^rejected: .*not-there/),
  ]);
  expect(told.died).toMatch(/^rejected: .*worker ended with code 3/);
  expect(told.closed).toEqual([[], [], expect.stringMatching(/^rejected: .*closed/), 'resolved']);
  expect(told.leaked).toBe(0);
  over = true;
  await connecting;
});
