import { Command, InvalidArgumentError, Option } from 'commander';
import { boxes } from '../audit/boxes/index.js';
import { markdownMatrix, matrix } from '../audit/matrix.js';
import { jsonOption, printJson } from './common.js';

interface MatrixFlags {
  box?: string[];
  ipv6?: boolean;
  prefix: string;
  json?: boolean;
}

export function matrixCommand(): Command {
  return new Command('matrix')
    .description('run the audit in a lab through several boxes: forwarding, desplice, HAProxy and others')
    .addOption(
      new Option('--box <name>', `only these: ${boxes.map(({ name }) => name).join(', ')}`).argParser(
        (text: string, before: string[] | undefined) => {
          if (boxes.some(({ name }) => name === text)) return [...(before ?? []), text];
          throw new InvalidArgumentError(
            `There is no such box; there are ${boxes.map(({ name }) => name).join(', ')}.`,
          );
        },
      ),
    )
    .addOption(new Option('--ipv6', 'over IPv6'))
    .addOption(
      new Option('--prefix <name>', 'what the names of the namespaces begin with').default('desplice-matrix'),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Needs root. Prints a table (Markdown): cases down, boxes across. What is not installed is left out, and named.

Examples:
  desplice audit matrix
  desplice audit matrix --box forwarding --box haproxy --json`,
    )
    .action(async ({ box, ipv6, prefix, json }: MatrixFlags) => {
      const family = ipv6 ? 6 : 4;
      const log = (line: string) => process.stderr.write(`${line}\n`);
      const columns = await matrix({ prefix, only: box, family, log });
      if (json) printJson(columns);
      else process.stdout.write(markdownMatrix(columns, family, new Date().toISOString().slice(0, 10)));
    });
}
