import { defaultControlPath } from '../control/client.js';
import type { Config } from '../policy/config.js';
import { UsageError } from '../policy/errors.js';
import { parseAction, type RuleInput } from '../policy/rules.js';

/** What the command line says, or else the environment: commander has settled those two. Absent: not said. */
export interface RunFlags {
  interface?: string[];
  ports?: string[];
  from?: string[];
  to?: string[];
  action?: string;
  config?: string;
  control?: string;
  workers?: number;
  busyPoll?: number;
  drain?: number;
  keep?: boolean;
  replace?: boolean;
  json?: boolean;
}

export interface RunSettings {
  interfaces: string[];
  rules: RuleInput[];
  /** Only rules that came from the file can be reloaded from it. */
  rulesFrom: 'flags' | 'file';
  control: string;
  workers: number | undefined;
  busyPollUs: number | undefined;
  drainSeconds: number;
  flowLimit: number | undefined;
  keep: boolean;
  replace: boolean;
}

const defaultDrainSeconds = 5;

/**
 * Flags and environment beat the file, the file beats defaults. The rule that -p, --from, --to and --action describe is
 * one setting: it replaces the rules of the file, because a mixture of both would select what neither of them says.
 */
export function resolveSettings(flags: RunFlags, file: Config | null): RunSettings {
  const interfaces = flags.interface ?? file?.interfaces ?? [];
  if (interfaces.length === 0) {
    throw new UsageError(
      'no interface to watch',
      'name at least one with -i IF (`ip link` lists them), or `interfaces:` in the file of -c',
    );
  }
  return {
    interfaces,
    rules: flags.ports ? [ruleOf(flags, flags.ports)] : fileRules(flags, file),
    rulesFrom: flags.ports ? 'flags' : 'file',
    control: flags.control ?? file?.control ?? defaultControlPath,
    workers: flags.workers,
    busyPollUs: flags.busyPoll,
    drainSeconds: flags.drain ?? defaultDrainSeconds,
    flowLimit: file?.limits?.flows,
    keep: flags.keep === true,
    replace: flags.replace === true,
  };
}

function fileRules(flags: RunFlags, file: Config | null): RuleInput[] {
  if (!file) {
    throw new UsageError(
      'nothing says which flows to intercept',
      'name destination ports with -p (-p 80,443,8000-8100), or a file with rules with -c; there is no "everything"',
    );
  }
  for (const name of ['from', 'to', 'action'] as const) {
    if (flags[name] !== undefined) {
      throw new UsageError(
        `--${name} has no ports to go with: it describes one rule together with -p`,
        'add -p PORTS, which replaces the rules of the file, or write it into the file',
      );
    }
  }
  return file.rules;
}

function ruleOf(flags: RunFlags, ports: string[]): RuleInput {
  return { ports, from: flags.from, to: flags.to, ...parseAction(flags.action ?? 'relay') };
}
