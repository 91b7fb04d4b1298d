/** The process that is a shaped link, from outside: starting it, finding it, and what it has counted. */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LinkConditions, type PathConditions, type Side, sides } from './conditions.js';
import type { WireCounts } from './counts.js';
import { LabError, processesIn } from './ip.js';

/** Built, also when this file runs from its source: the shaper is a process of its own. */
const program = fileURLToPath(new URL('../../dist/lab/shaper.js', import.meta.url));
const patienceMs = 10_000;

/** Returns when it moves frames. The process outlives this one, until `labDown`. */
export function startShaper(namespace: string, side: Side, link: LinkConditions): void {
  const folder = mkdtempSync(join(tmpdir(), 'desplice-shaper-'));
  const log = join(folder, 'log');
  const fd = openSync(log, 'w');
  try {
    const argv = ['netns', 'exec', namespace, process.execPath, program, JSON.stringify({ side, link })];
    const child = spawn('ip', argv, { cwd: '/', detached: true, stdio: ['ignore', fd, fd] });
    child.on('error', () => {}); // Its log says nothing then, and we say so below.
    child.unref();
    for (let waited = 0; !readFileSync(log, 'utf8').startsWith('ready\n'); waited += 5) {
      if (waited > patienceMs || child.pid === undefined || hasEnded(child.pid)) {
        const why = readFileSync(log, 'utf8').trim() || 'it said nothing';
        throw new LabError('LAB', `starting the shaper in ${namespace}: ${why}`, 'is it built? make build');
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Gone, or a zombie until this process enters its event loop again. */
function hasEnded(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\)/, ''));
  } catch {
    return true;
  }
}

/** The sides whose wire has no shaper any more: nothing passes there. */
export function deadWires(prefix: string, path: PathConditions | null): Side[] {
  return sides.filter((side) => path?.[side] && shaperOf(prefix, side) === null);
}

/** What a shaped link has done; at most 100 ms old. Null: its shaper is gone. */
export function readCounts(prefix: string, side: Side): WireCounts | null {
  const pid = shaperOf(prefix, side);
  if (pid === null) return null;
  try {
    // Its log, of which only its own descriptor is left.
    return JSON.parse(readFileSync(`/proc/${pid}/fd/1`, 'utf8').split('\n')[1] ?? '') as WireCounts;
  } catch {
    return null;
  }
}

/** There may be others in the namespace, a capture for instance. */
export function shaperOf(prefix: string, side: Side): number | null {
  try {
    const isShaper = (pid: number): boolean =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/lab/shaper.js');
    return processesIn(`${prefix}-${side}-wire`).find(isShaper) ?? null;
  } catch {
    return null;
  }
}
