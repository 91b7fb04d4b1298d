import { Command } from 'commander';
import { callControl } from '../control/client.js';
import type { ReleaseOutcome } from '../flow/stats.js';
import { UsageError } from '../policy/errors.js';
import { type AskOptions, controlOption, jsonOption, printJson } from './common.js';
import { Exit } from './fail.js';

interface ReleaseFlags extends AskOptions {
  all?: boolean;
  within: string;
}

export function releaseCommand(): Command {
  return new Command('release')
    .description('splice flows back into plain forwarding: neither end notices')
    .argument('[ids...]', 'the flows, as `desplice flows` names them')
    .option('--all', 'all flows that are taken now')
    .option('--within <seconds>', 'how long a busy flow may take to come to rest', '5')
    .addOption(controlOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Prints what became of each: released, ended (it was over first) or refused, and why. A flow that is refused goes on as
it was. Exit code 1 when one was refused.

Examples:
  desplice release 0.12.345
  desplice release --all --within 30
  desplice release --all --json | jq 'map(.result) | group_by(.) | map({(.[0]): length}) | add'`,
    )
    .action(release);
}

async function release(ids: string[], { all, within, control, json }: ReleaseFlags): Promise<void> {
  if ((all === true) === ids.length > 0) {
    throw new UsageError('which flows are to be released?', 'Name them, or write --all.');
  }
  const seconds = Number(within);
  if (!(seconds > 0 && seconds <= 3600)) {
    throw new UsageError(`found --within ${within}, expected seconds, up to 3600`);
  }
  const query = new URLSearchParams({ within });
  for (const id of ids) query.append('id', id);
  if (all) query.set('all', '1');
  const outcomes = await callControl<ReleaseOutcome[]>(
    control,
    'POST',
    `/v1/release?${query}`,
    seconds * 1000 + 10_000,
  );
  if (json) printJson(outcomes);
  else {
    for (const outcome of outcomes) {
      const why = outcome.result === 'refused' ? `  ${outcome.reason}` : '';
      process.stdout.write(`${outcome.id}  ${outcome.result}${why}\n`);
    }
    if (outcomes.length === 0) process.stdout.write('no flow is taken now\n');
  }
  if (outcomes.some(({ result }) => result === 'refused')) throw new Exit(1);
}
