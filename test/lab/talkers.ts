/** Connections that live on, each with an answer now and then. */
import { type Rig, waitFor } from './harness.js';
import type { Program } from './program.js';

export interface Held {
  answers: number;
  ended: { how: string; port: number }[];
}

export async function startTalkers(rig: Rig, port: number, flows: number, everyMs: number): Promise<Program> {
  await rig.serve({ port, mode: 'echo' });
  const { server4: host } = rig.lab.addresses;
  const hold = await rig.start('client', 'hold.mjs', { host, port, flows, everyMs });
  await hold.line((line) => line.startsWith('{"busy"'));
  return hold;
}

/** Until so many more answers have come. */
export async function untilTheyTalk(hold: Program, more = 20): Promise<void> {
  const { answers } = await hold.report<Held>();
  await waitFor('they talk', async () => (await hold.report<Held>()).answers > answers + more);
}
