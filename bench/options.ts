import { parseArgs } from 'node:util';
import type { Row } from './row.js';
import { rows } from './rows.js';
import { subjectNames } from './subjects.js';

export interface Options {
  rounds: number;
  quick: boolean;
  rows: Row[];
  subjects: string[];
}

export const help = `Measures desplice against plain forwarding and HAProxy, in network namespaces of this machine (as root).

  make bench                                   all rows, 5 rounds
  make bench BENCH="--quick"                   one short round, to see whether it works
  make bench BENCH="--only fresh,bulk --rounds 9"
  make bench BENCH="--subjects plain,haproxy"

Rows: ${rows.map(({ name }) => name).join(', ')}
Subjects: ${subjectNames.join(', ')}
The results are printed and written to bench/results/. Exit code 1: something could not be measured. A missed goal is
reported and is no failure.
`;

export class WrongUsage extends Error {}

export function parse(argv: string[]): Options | 'help' {
  let values: { rounds?: string; quick?: boolean; only?: string; subjects?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: argv,
      options: {
        rounds: { type: 'string' },
        quick: { type: 'boolean' },
        only: { type: 'string' },
        subjects: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
  if (values.help) return 'help';
  const quick = values.quick ?? false;
  const rounds = Number(values.rounds ?? (quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new WrongUsage(`--rounds ${values.rounds}: expected a whole number from 1 to 100`);
  }
  const only = list(
    '--only',
    values.only,
    rows.map(({ name }) => name),
  );
  return {
    rounds,
    quick,
    rows: rows.filter(({ name }) => only.includes(name)),
    subjects: list('--subjects', values.subjects, subjectNames),
  };
}

function list(flag: string, text: string | undefined, known: string[]): string[] {
  if (text === undefined) return known;
  const items = text.split(',').map((item) => item.trim());
  for (const item of items) {
    if (!known.includes(item)) throw new WrongUsage(`${flag} ${item}: expected ${known.join(', ')}`);
  }
  return items;
}
