import { Command } from 'commander';
import { callControl } from '../control/client.js';
import { type AskOptions, controlOption } from './common.js';

export function reloadCommand(): Command {
  return new Command('reload')
    .description('check the configuration file of the running engine again and swap its rules in one step')
    .addOption(controlOption())
    .addHelpText(
      'after',
      `
On a mistake in the file the old rules stay. Flows already taken keep their action.

Examples:
  desplice reload
  kill -HUP PID             the same, without an answer`,
    )
    .action(async ({ control }: AskOptions) => {
      await callControl(control, 'POST', '/v1/reload');
      process.stdout.write('reloaded\n');
    });
}
