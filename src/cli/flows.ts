import { Command } from 'commander';
import { callControl } from '../control/client.js';
import { formatFlows } from '../control/format.js';
import type { FlowInfo } from '../flow/stats.js';
import { type AskOptions, controlOption, jsonOption, printJson } from './common.js';

export function flowsCommand(): Command {
  return new Command('flows')
    .description('show the flows that are taken now')
    .addOption(controlOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  desplice flows
  desplice flows --json | jq '.[].client'`,
    )
    .action(async ({ control, json }: AskOptions) => {
      const flows = await callControl<FlowInfo[]>(control, 'GET', '/v1/flows');
      if (json) printJson(flows);
      else process.stdout.write(formatFlows(flows, new Date()));
    });
}
