import { Command } from 'commander';
import { callControl } from '../control/client.js';
import { formatStats } from '../control/format.js';
import type { Stats } from '../flow/stats.js';
import { type AskOptions, controlOption, jsonOption, printJson } from './common.js';

export function statsCommand(): Command {
  return new Command('stats')
    .description('show the counters of the running engine')
    .addOption(controlOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Every number is a count since the engine started, except "active", which is now.

Examples:
  desplice stats
  desplice stats --json | jq .forwarded`,
    )
    .action(async ({ control, json }: AskOptions) => {
      const stats = await callControl<Stats>(control, 'GET', '/v1/stats');
      if (json) printJson(stats);
      else process.stdout.write(formatStats(stats));
    });
}
