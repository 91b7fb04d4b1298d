import { readlinkSync } from 'node:fs';
import { Command } from 'commander';
import { callControl } from '../control/client.js';
import { ControlError } from '../control/error.js';
import { removeStale } from '../control/server.js';
import { cleanSystem } from '../engine/clean.js';
import { type AskOptions, controlOption } from './common.js';

export function cleanCommand(): Command {
  return new Command('clean')
    .description('remove what a killed engine left behind')
    .addOption(controlOption())
    .addHelpText(
      'after',
      `
Prints what it removed. It removes only what carries desplice's name, in this network namespace, and refuses while an
engine runs in it: an engine that is stopped by SIGTERM leaves nothing to clean.

Examples:
  desplice clean
  ip netns exec router desplice clean`,
    )
    .action(async ({ control }: AskOptions) => {
      await refuseWhileRunning(control);
      const removed = await cleanSystem();
      if (await removeStaleQuietly(control)) removed.push(`control socket ${control}`);
      for (const thing of removed) process.stdout.write(`removed ${thing}\n`);
      if (removed.length === 0) process.stdout.write('nothing to clean\n');
    });
}

async function refuseWhileRunning(control: string): Promise<void> {
  let pid: number;
  try {
    ({ pid } = await callControl<{ pid: number }>(control, 'GET', '/v1/health'));
  } catch {
    return;
  }
  // Namespaces share the file system: the engine that answers may be one of another namespace, which is not touched.
  if (networkOf(pid) !== networkOf('self')) return;
  throw new ControlError(
    'RUNNING',
    `cleaning up: an engine is running here (process ${pid}), and its flows would break`,
    `stop it with \`kill ${pid}\`, which leaves nothing to clean`,
  );
}

function networkOf(pid: number | 'self'): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return null;
  }
}

async function removeStaleQuietly(control: string): Promise<boolean> {
  try {
    return await removeStale(control);
  } catch {
    return false;
  }
}
