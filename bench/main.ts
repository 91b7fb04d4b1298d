import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withoutAutogroups } from './autogroup.js';
import type { Bench } from './bench.js';
import { machine } from './machine.js';
import { measureRow } from './measure.js';
import { help, type Options, parse, WrongUsage } from './options.js';
import { type Background, killAll, killAwaited } from './process.js';
import { type RowResult, summarize, table } from './report.js';
import type { Row } from './row.js';
import { startServer } from './server.js';
import { openSite } from './site.js';

const resultsDirectory = fileURLToPath(new URL('../bench/results/', import.meta.url));

let interrupted = false;

async function main(): Promise<number> {
  let options: Options | 'help';
  try {
    options = parse(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    console.error(`bench: ${error.message}\n\n${help}`);
    return 2;
  }
  if (options === 'help') {
    process.stdout.write(help);
    return 0;
  }
  // What waits for a command fails, and everything is taken down on the way out; a second signal is less patient.
  const interrupt = (): void => {
    if (interrupted) killAll();
    interrupted = true;
    killAwaited();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const results = await withoutAutogroups(() => measureAll(options));
  if (interrupted) return 130;
  return results.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

async function measureAll(options: Options): Promise<RowResult[]> {
  const about = machine();
  if (Number(about.loadBefore) > 0.5) {
    console.error(
      `bench: the load average is ${about.loadBefore}: something else runs here and will show in the numbers`,
    );
  }
  const directory = mkdtempSync(join(tmpdir(), 'desplice-bench-'));
  const results: RowResult[] = [];
  try {
    for (const rows of bySite(options.rows)) await measureRows(rows, directory, options, results);
  } catch (error) {
    if (!interrupted) throw error;
    console.error('bench: interrupted; the rows that were complete until then:');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  report(about, options, results);
  return results;
}

/** Rows under the same conditions share a lab, in the order in which they were asked for. */
function bySite(rows: readonly Row[]): Row[][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify(row.conditions ?? null);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

async function measureRows(
  rows: readonly Row[],
  directory: string,
  options: Options,
  results: RowResult[],
): Promise<void> {
  const site = await openSite(rows[0]?.conditions);
  let server: Background | null = null;
  try {
    server = await startServer(site, directory);
    const bench: Bench = {
      site,
      directory,
      cores: availableParallelism(),
      quick: options.quick,
      assertGoingOn() {
        if (interrupted) throw new Error('interrupted');
      },
    };
    for (const row of rows) {
      const names = row.subjects.filter((name) => options.subjects.includes(name));
      const rounds = Math.min(options.rounds, row.mostRounds ?? options.rounds);
      if (names.length > 0) results.push(await measureRow(bench, row, names, rounds));
    }
  } finally {
    await server?.stop();
    killAll();
    site.down();
  }
}

function report(about: ReturnType<typeof machine>, options: Options, results: RowResult[]): void {
  mkdirSync(resultsDirectory, { recursive: true });
  const file = join(resultsDirectory, `${String(about.date).replaceAll(':', '-')}.json`);
  const detail = results.map((result) => ({ ...summarize(result), rounds: result.values }));
  const { rounds, quick } = options;
  writeFileSync(
    file,
    `${JSON.stringify({ version: 1, machine: about, rounds, quick, rows: detail }, null, 2)}\n`,
  );
  const { cpu, cores, kernel, node } = about;
  console.log(`${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}; median (lowest to highest round)\n`);
  console.log(table(results));
  console.log(`Written to ${file}`);
}

process.exitCode = await main();
