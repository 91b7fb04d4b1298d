/** Flows that talk, and are released while they do: for the tests, and at length for test/soak. */

import { expect } from 'vitest';
import type { ReleaseOutcome, Stats } from '../../src/flow/stats.js';
import { chance, streamOf } from '../../src/lab/chance.js';
import type { PathOptions } from '../../src/lab/index.js';
import type { Engine } from './engine.js';
import { type FlowsResult, type Rig, sleep, waitFor } from './harness.js';
import { connectionsOf } from './state.js';

/** 20 ms one way, half of them on either side of the middle, and 1 % lost on each side, each way. */
export const roughPath: PathOptions = {
  client: { delayMs: 10, loss: 0.01, seed: 1 },
  server: { delayMs: 10, loss: 0.01, seed: 2 },
};

export interface Chatter {
  /** Addresses of the server, in turns. */
  hosts: string[];
  flows: number;
  /** Each way. */
  bytes: number;
  /** The longest pause between two chunks. */
  gapMs: number;
  /** See test/programs/pattern.mjs. */
  rest?: { after: number; every: number; ms: number };
  timeoutMs?: number;
}

/** Connections with traffic both ways, of random size at random times. */
export async function chatter(rig: Rig, { hosts, flows, bytes, gapMs, rest, timeoutMs }: Chatter) {
  const port = rig.port();
  const pace = { chunk: 4000, gapMs, rest };
  const server = { port, mode: 'exchange', send: bytes, when: 'connect', pace: { ...pace, seed: 3 } };
  const serving = await rig.serve(server);
  const client = { host: hosts, port, flows, send: bytes, expect: bytes, pace: { ...pace, seed: 7 } };
  const done = rig.client<FlowsResult>(client, 'client.mjs', timeoutMs ?? 90_000);
  return { serving, done };
}

/** How often each outcome came; a refusal with its reason. */
export function tally(outcomes: readonly ReleaseOutcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    // Numbers in a reason differ from flow to flow.
    const what =
      outcome.result === 'refused' ? `refused: ${outcome.reason.replace(/\d+/g, 'N')}` : outcome.result;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

/** Releases flows by chance, a `share` of those that are taken at a time, until `over`. */
export async function releaseAtRandom(
  engine: Engine,
  over: () => boolean,
  { share = 0.3, withinSeconds = 5, outcomes = [] as ReleaseOutcome[] } = {},
): Promise<ReleaseOutcome[]> {
  const stream = streamOf(99, 0);
  let n = 0;
  while (!over()) {
    const chosen = (await engine.flows()).filter(() => chance(stream, n++) < share).map(({ id }) => id);
    if (chosen.length > 0) outcomes.push(...(await engine.release(chosen, withinSeconds)));
    else await sleep(50);
  }
  return outcomes;
}

/** Flows that talk to their end while they are released by chance. */
export async function releasedWhileTalking(
  rig: Rig,
  options: Chatter,
  withinSeconds = 5,
): Promise<{ result: FlowsResult; outcomes: ReleaseOutcome[] }> {
  const { done } = await chatter(rig, options);
  let over = false;
  const result = done.finally(() => {
    over = true;
  });
  const outcomes = await releaseAtRandom(rig.engine, () => over, { withinSeconds });
  return { result: await result, outcomes };
}

/** At least so many were released, none was reset, and no socket is left in the middle. */
export async function expectNoTrace(
  rig: Rig,
  before: Stats,
  counts: Record<string, number>,
  atLeast: number,
): Promise<void> {
  console.log(counts);
  expect(counts.released).toBeGreaterThan(atLeast);
  await waitFor('nothing is left', async () => (await rig.engine.stats()).flows.active === 0);
  const { flows } = await rig.engine.stats();
  expect(flows.released - before.flows.released).toBe(counts.released);
  expect(flows.reset - before.flows.reset).toBe(0);
  expect(connectionsOf(rig.lab)).toBe('');
}
