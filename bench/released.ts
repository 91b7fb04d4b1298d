/** Flows that desplice has taken and given back: how they do afterwards, and how long the giving back takes. */
import { callControl } from '../dist/control/client.js';
import type { FlowInfo, ReleaseOutcome } from '../dist/flow/stats.js';
import { type Bench, downloadFile, idleFlowsFile, pingpongFile } from './bench.js';
import { onCore, withServerOn } from './pinning.js';
import { Background, CommandFailed } from './process.js';
import type { Measured } from './row.js';
import type { Active } from './subjects.js';

const largeBytes = 10_000_000;
const withinSeconds = 5;
/** Of client and server: nobody has to be woken on another core, which would take longer than a round trip, and bulk does not hang
 *  on which core takes the interrupts. */
const sharedCore = 0;

/** Runs a program of ours at the client until `action` is done. */
async function withClient<T>(
  bench: Bench,
  file: string,
  parameters: (string | number)[],
  action: (program: Background) => Promise<T>,
): Promise<T> {
  const argv = onCore(sharedCore, [
    process.execPath,
    file,
    bench.site.serverAddress,
    '80',
    ...parameters.map(String),
  ]);
  const program = new Background(bench.site.inside('client', argv), file.replace(/.*\//, ''));
  try {
    await program.line(60);
    return await action(program);
  } finally {
    await program.stop();
  }
}

const flowsOf = (control: string): Promise<FlowInfo[]> => callControl(control, 'GET', '/v1/flows');

function release(control: string, ids: string[]): Promise<ReleaseOutcome[]> {
  const query = new URLSearchParams([
    ['within', String(withinSeconds)],
    ...ids.map((id): [string, string] => ['id', id]),
  ]);
  return callControl(control, 'POST', `/v1/release?${query}`, withinSeconds * 1000 + 10_000);
}

/** Has all flows released; under plain forwarding there is nothing to release. */
async function releaseAll({ control }: Active, count: number): Promise<void> {
  if (control === undefined) return;
  const ids = (await flowsOf(control)).map(({ id }) => id);
  if (ids.length !== count) throw new CommandFailed(`${ids.length} of ${count} flows were taken`);
  const kept = (await release(control, ids)).find(({ result }) => result !== 'released');
  if (kept) throw new CommandFailed(`a flow was not released: ${JSON.stringify(kept)}`);
}

/** Orders so many seconds, first a few that do not count, and returns what the program says. */
async function ordered<T>(program: Background, seconds: number): Promise<T> {
  let said = '';
  for (const each of [0.3, seconds]) {
    program.write(`${each}\n`);
    said = await program.line(each + 10);
  }
  return JSON.parse(said) as T;
}

export function releasedBulk(bench: Bench, active: Active): Promise<Measured> {
  const flows = 4;
  return withServerOn(bench, sharedCore, () =>
    withClient(bench, downloadFile, ['/large', largeBytes, flows], async (program) => {
      await releaseAll(active, flows);
      const { bytes, ms } = await ordered<{ bytes: number; ms: number }>(program, 2);
      return { values: { bytes: bytes / ms / 1e3 }, connections: flows, attempts: flows, errors: 0 };
    }),
  );
}

export function releasedPingpong(bench: Bench, active: Active): Promise<Measured> {
  return withServerOn(bench, sharedCore, () =>
    withClient(bench, pingpongFile, ['/small'], async (program) => {
      await releaseAll(active, 1);
      const { p50, requests } = await ordered<{ p50: number; requests: number }>(program, 2);
      return { values: { p50 }, connections: 1, attempts: requests, errors: 0 };
    }),
  );
}

/** One idle flow after the other, as the control socket's user sees it: two threads and an HTTP request included. */
export function releaseTime(bench: Bench, { control }: Active, count: number): Promise<Measured> {
  return withClient(bench, idleFlowsFile, ['/small', count], async () => {
    if (control === undefined) throw new CommandFailed('this row needs a subject that can release');
    const times: number[] = [];
    let errors = 0;
    for (const { id } of await flowsOf(control)) {
      const began = performance.now();
      const [outcome] = await release(control, [id]);
      times.push(performance.now() - began);
      if (outcome?.result !== 'released') errors += 1;
    }
    times.sort((a, b) => a - b);
    const at = (share: number): number => times[Math.floor(share * (times.length - 1))] ?? Number.NaN;
    return { values: { p50: at(0.5), p99: at(0.99) }, connections: count, attempts: count, errors };
  });
}
