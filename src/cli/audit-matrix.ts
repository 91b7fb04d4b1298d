import { Command, InvalidArgumentError, Option } from 'commander';
import { boxes } from '../audit/boxes/index.js';
import { type Column, markdownMatrix, matrix } from '../audit/matrix.js';
import { writePages } from '../audit/pages/write.js';
import { jsonOption, printJson, readVersion } from './common.js';

interface MatrixFlags {
  box?: string[];
  ipv6?: boolean;
  prefix: string;
  pages?: string;
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
    .addOption(
      new Option('--pages <folder>', 'write the catalogue of faults with what was found, over IPv4 and IPv6'),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Needs root. Prints a table (Markdown): cases down, boxes across. What is not installed is left out, and named.
Exit code 1: a system could not be run.

Examples:
  desplice audit matrix
  desplice audit matrix --box forwarding --box haproxy --json
  desplice audit matrix --pages docs/how-interception-goes-wrong`,
    )
    .action(async ({ box, ipv6, prefix, pages, json }: MatrixFlags) => {
      const family = ipv6 ? 6 : 4;
      const log = (line: string) => process.stderr.write(`${line}\n`);
      const views = pages !== undefined;
      const date = new Date().toISOString().slice(0, 10);
      const columns = await matrix({ prefix, only: box, family, views, log });
      const other =
        pages === undefined || ipv6 ? [] : await matrix({ prefix, only: box, family: 6, views, log });
      if ([...columns, ...other].some(({ failed }) => failed)) process.exitCode = 1;
      if (pages !== undefined) {
        const written = writePages(pages, { columns: [...columns, ...other], date, version: readVersion() });
        log(`${written} files in ${pages}`);
      }
      if (json) printJson(columns.map(withoutViews));
      else process.stdout.write(markdownMatrix(columns, family, date));
    });
}

/** Captures are for the pages; as JSON they are many megabytes. */
const withoutViews = (column: Column): Column => ({
  ...column,
  verdicts: Object.fromEntries(
    Object.entries(column.verdicts).map(([id, { verdict, reason }]) => [id, { verdict, reason }]),
  ),
});
