import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, idleFlowsFile } from './bench.js';
import { Background, CommandFailed } from './process.js';
import type { Measured } from './row.js';
import type { Active } from './subjects.js';

function kibibytes(file: string, field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(file, 'utf8'));
  if (found === null) throw new CommandFailed(`${file} has no ${field}`);
  return Number(found[1]);
}

interface Snapshot {
  user: number;
  kernel: number;
}

const snapshot = (pid: number | null): Snapshot => ({
  user: pid === null ? 0 : kibibytes(`/proc/${pid}/status`, 'VmRSS'),
  kernel: kibibytes('/proc/meminfo', 'Slab'),
});

async function open(bench: Bench, count: number): Promise<Background> {
  const parameters = [bench.site.serverAddress, '80', '/small', String(count)];
  const argv = [process.execPath, idleFlowsFile, ...parameters];
  const flows = new Background(bench.site.inside('client', argv), 'idle-flows');
  try {
    await flows.line(60);
  } catch (error) {
    await flows.stop();
    throw error;
  }
  return flows;
}

/**
 * What flows cost that have each carried a request and an answer and then say nothing. A first tenth of them warms what is
 * taken once (pages of code, slab caches) and stays open, so that its memory is not counted as room for the others.
 */
export async function idleMemory(bench: Bench, active: Active, count: number): Promise<Measured> {
  const warm = Math.ceil(count / 10);
  const first = await open(bench, warm);
  try {
    await sleep(500);
    const before = snapshot(active.pid);
    const flows = await open(bench, count);
    try {
      await sleep(1000);
      const after = snapshot(active.pid);
      const values = {
        user: (after.user - before.user) / count,
        kernel: (after.kernel - before.kernel) / count,
      };
      return { values, connections: warm + count, attempts: warm + count, errors: 0 };
    } finally {
      await flows.stop();
    }
  } finally {
    await first.stop();
    // The ends close, and whatever sits between them has to notice before it is stopped.
    await sleep(300);
  }
}
