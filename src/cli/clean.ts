import { Command } from 'commander';
import { ControlError } from '../control/error.js';
import { removeStale } from '../control/server.js';
import { cleanSystem } from '../engine/clean.js';
import { type AskOptions, controlOption } from './common.js';
import { isHere, whoAnswers } from './network.js';

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
  const pid = await whoAnswers(control);
  if (pid === null || !isHere(pid)) return;
  throw new ControlError(
    'RUNNING',
    `cleaning up: an engine is running here (process ${pid}), and its flows would break`,
    `stop it with \`kill ${pid}\`, which leaves nothing to clean`,
  );
}

async function removeStaleQuietly(control: string): Promise<boolean> {
  try {
    return await removeStale(control);
  } catch {
    return false;
  }
}
