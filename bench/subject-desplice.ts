import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Stats } from '../dist/flow/stats.js';
import { Background, CommandFailed, run } from './process.js';
import type { Site } from './site.js';
import type { Active, Subject } from './subjects.js';

const command = fileURLToPath(new URL('../bin/desplice', import.meta.url));
const decider = fileURLToPath(new URL('decide-forward.js', import.meta.url));

async function running(
  process: Background,
  stats: () => Promise<Stats>,
  count: (stats: Stats) => number,
  control?: string,
): Promise<Active> {
  try {
    const line = await process.line(20);
    if (line !== 'ready') throw new CommandFailed(`expected "ready" and got "${line}"`);
  } catch (error) {
    await process.stop();
    throw error;
  }
  return {
    pid: process.pid,
    control,
    async treated() {
      const now = await stats();
      return { count: count(now), detail: `${JSON.stringify(now)} ${process.complaints}` };
    },
    async deactivate() {
      if (!(await process.stop(15))) throw new CommandFailed('the engine did not end within 15 s of SIGTERM');
    },
  };
}

function engine(
  name: string,
  ports: string,
  count: (stats: Stats) => number,
  flags: readonly string[] = [],
): Subject {
  return {
    name,
    async activate(site: Site, directory: string) {
      const control = join(directory, 'desplice.sock');
      const interfaces = ['-i', site.toClient, '-i', site.toServer];
      const argv = [process.execPath, command, 'run', ...interfaces, '-p', ports, '--workers', '1'];
      argv.push('--drain', '1', '--control', control, ...flags);
      const ask = ['stats', '--json', '--control', control];
      return running(
        new Background(site.inside('middle', argv), name),
        async () => JSON.parse(await run([process.execPath, command, ...ask])) as Stats,
        count,
        control,
      );
    },
  };
}

export const desplice = engine('desplice', '80', (stats) => stats.flows.intercepted);
/** Its flows would outlive it. */
export const kept = engine('kept', '80', (stats) => stats.flows.intercepted, ['--keep']);
/** Its thread sleeps only where there has been nothing to do for 3 ms. */
export const awake = engine('awake', '80', (stats) => stats.flows.intercepted, ['--busy-poll', '3000']);
/** The rows that measure it release its flows, and a flow that was not released does not count. */
export const released = engine('released', '80', (stats) => stats.flows.released);
export const desplicedElsewhere = engine('unmatched', '9', (stats) => stats.forwarded.unmatched);

export const decideForward: Subject = {
  name: 'decided',
  async activate(site) {
    const argv = [process.execPath, decider, site.toClient, site.toServer];
    const engineOf = new Background(site.inside('middle', argv), 'decided');
    return running(
      engineOf,
      async () => {
        engineOf.write('stats\n');
        return JSON.parse(await engineOf.line(10)) as Stats;
      },
      (stats) => stats.forwarded.decided,
    );
  },
};
