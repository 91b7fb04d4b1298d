import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.js';
import { CommandFailed } from './process.js';
import type { RowResult, Values } from './report.js';
import type { Measured, Row } from './row.js';
import { whoami } from './server.js';
import { type Active, subjects, type Treated } from './subjects.js';
import { wrk } from './wrk.js';

/** Of the connections that were counted, so many must have gone the subject's way, or the row is about something else. */
const leastTreated = 0.98;
/** A proxy that loses a SYN now and then is still measured; one that fails like this is not doing the work. */
const mostErrors = 0.05;

/** Runs one row: all subjects in turn, round after round, each round beginning with another one. */
export async function measureRow(
  bench: Bench,
  row: Row,
  names: string[],
  rounds: number,
): Promise<RowResult> {
  const values: Values = {};
  const failures: string[] = [];
  const errors: Record<string, number> = {};
  for (let round = 0; round < rounds; round += 1) {
    const calibration = row.calibrate === undefined ? 0 : await row.calibrate(bench);
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length] ?? '';
      const started = Date.now();
      let note: string;
      try {
        const measured = await measureOnce(bench, row, name, calibration);
        for (const [metric, value] of Object.entries(measured.values))
          record(values, metric, name, round, value);
        errors[name] = (errors[name] ?? 0) + measured.errors;
        note = row.metrics.map((m) => `${measured.values[m.name]?.toFixed(m.digits)} ${m.name}`).join(', ');
      } catch (error) {
        bench.assertGoingOn();
        note = (error as Error).message;
        failures.push(`${name}, round ${round + 1}: ${note}`);
      }
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      process.stderr.write(`${row.name} ${round + 1}/${rounds} ${name}: ${note} (${seconds} s)\n`);
    }
  }
  return { row, values, errors, failures };
}

function record(values: Values, metric: string, name: string, round: number, value: number): void {
  const ofMetric = values[metric] ?? {};
  values[metric] = ofMetric;
  const list = ofMetric[name] ?? [];
  ofMetric[name] = list;
  while (list.length < round) list.push(null);
  list[round] = value;
}

/**
 * A box in the path runs for weeks: what counts is a process whose code is compiled and whose memory is there. Every
 * subject gets the same, plain forwarding included.
 */
async function warmUp(bench: Bench): Promise<void> {
  await wrk(bench.site, bench.directory, { connections: 32, seconds: 2, path: '/small', close: true });
  await bench.site.clearTimeWaits();
}

async function measureOnce(bench: Bench, row: Row, name: string, calibration: number): Promise<Measured> {
  bench.assertGoingOn();
  const subject = subjects[name];
  if (subject === undefined) throw new Error(`no subject ${name}`);
  await bench.site.clearTimeWaits();
  const active = await subject.activate(bench.site, bench.directory);
  try {
    await whoami(bench.site);
    await warmUp(bench);
    const before = await active.treated();
    const measured = await row.measure(bench, active, calibration);
    if (measured.errors > measured.attempts * mostErrors) {
      throw new CommandFailed(`${measured.errors} of ${measured.attempts} failed`);
    }
    const after = before === null ? null : await settled(active);
    if (before !== null && after !== null) {
      const treated = after.count - before.count;
      if (treated < measured.connections * leastTreated) {
        throw new CommandFailed(
          `it dealt with ${treated} of ${measured.connections} connections ${after.detail}`,
        );
      }
    }
    return measured;
  } finally {
    await active.deactivate();
    await bench.site.clearTimeWaits();
  }
}

/** The counters once the last connections have been counted. */
async function settled(active: Active): Promise<Treated | null> {
  await sleep(50);
  return active.treated();
}
