/**
 * Which core works for whom. Where the scheduler puts the client and the server makes more than twice the difference on two
 * cores, and it is not the same in every round: rows that ask for a few per cent decide it themselves.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.js';
import { run } from './process.js';

/** The command line that runs `argv` on one core. */
export const onCore = (core: number, argv: string[]): string[] => ['taskset', '-c', String(core), ...argv];

/** Keeps the server's worker on one core until `action` is done. */
export async function withServerOn<T>(bench: Bench, core: number, action: () => Promise<T>): Promise<T> {
  const master = readFileSync(join(bench.directory, 'nginx.pid'), 'utf8').trim();
  const workers = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ');
  const pin = async (cores: string): Promise<void> => {
    for (const worker of workers) await run(['taskset', '-cp', cores, worker]);
  };
  await pin(String(core));
  try {
    return await action();
  } finally {
    await pin(`0-${bench.cores - 1}`);
  }
}
