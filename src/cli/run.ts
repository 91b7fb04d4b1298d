import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ControlError } from '../control/error.js';
import { serveControl } from '../control/server.js';
import { type Interception, intercept } from '../index.js';
import { type Config, loadConfig } from '../policy/config.js';
import { UsageError } from '../policy/errors.js';
import { compileRules } from '../policy/rules.js';
import { jsonOption } from './common.js';
import { Exit } from './fail.js';
import { consume, type Handlers, loadHandlers } from './handler.js';
import { notifySystemd } from './notify.js';
import { createReporter, type Reporter } from './reporter.js';
import { type RunFlags, type RunSettings, resolveSettings } from './settings.js';

export function runCommand(): Command {
  return new Command('run')
    .description('intercept on the named interfaces until SIGINT or SIGTERM')
    .addOption(listOption('-i, --interface <if>', 'interface to watch; repeat it', 'DESPLICE_INTERFACES'))
    .addOption(listOption('-p, --ports <ports>', 'destination ports: 80,443,8000-8100', 'DESPLICE_PORTS'))
    .addOption(listOption('--from <cidr>', 'only clients in this network', 'DESPLICE_FROM'))
    .addOption(listOption('--to <cidr>', 'only servers in this network', 'DESPLICE_TO'))
    .addOption(
      new Option('--action <action>', 'relay, forward or handle=MODULE (default: relay)').env(
        'DESPLICE_ACTION',
      ),
    )
    .addOption(new Option('-c, --config <file>', 'configuration file (YAML)').env('DESPLICE_CONFIG'))
    .addOption(
      new Option('--control <path>', 'control socket (default: "/run/desplice.sock")').env(
        'DESPLICE_CONTROL',
      ),
    )
    .addOption(
      new Option('--workers <n>', 'engine threads')
        .env('DESPLICE_WORKERS')
        .argParser(number('workers', 1, true)),
    )
    .addOption(
      new Option('--drain <seconds>', 'how long taken flows may go on after SIGTERM (default: 5)')
        .env('DESPLICE_DRAIN')
        .argParser(number('seconds', 0, false)),
    )
    .addOption(jsonOption('print one JSON object per line: the events of the engine'))
    .addHelpText(
      'after',
      `
Without -p and -c nothing is intercepted: there is no "everything". Flags beat the environment, the environment
beats the file, the file beats the defaults. SIGHUP reads the file again; a second SIGINT or SIGTERM ends at once.

Examples:
  desplice run -i eth0 -i eth1 -p 80,443
  desplice run -i eth0 -i eth1 -p 80 --from 192.0.2.0/24 --to 2001:db8::/32
  desplice run -i eth0 -i eth1 -p 8000-8100 --action handle=./my-handler.mjs
  desplice run -c /etc/desplice.yaml --json`,
    )
    .action(run);
}

function listOption(flags: string, description: string, variable: string): Option {
  return new Option(flags, description)
    .env(variable)
    .argParser((text: string, before: string[] | undefined) => {
      const items = text.split(',').map((item) => item.trim());
      if (items.includes('')) throw new InvalidArgumentError('It has an empty item.');
      return [...(before ?? []), ...items];
    });
}

function number(what: string, least: number, whole: boolean): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (
      text.trim() !== '' &&
      Number.isFinite(value) &&
      value >= least &&
      (!whole || Number.isInteger(value))
    ) {
      return value;
    }
    throw new InvalidArgumentError(
      `Expected a ${whole ? 'whole ' : ''}number of ${what}, at least ${least}.`,
    );
  };
}

async function run(flags: RunFlags): Promise<void> {
  const file = flags.config === undefined ? null : readConfig(flags.config);
  const settings = resolveSettings(flags, file);
  let handlers = await loadHandlers(compileRules(settings.rules));
  const reporter = createReporter(flags.json === true);

  let interception: Interception | undefined;
  const started = async (): Promise<Interception> => {
    if (!interception)
      throw new ControlError('STARTING', 'the engine is still starting', 'ask again in a moment');
    await interception.ready;
    return interception;
  };
  const reload = async (): Promise<void> => {
    const rules = rulesAgain(flags, settings);
    const next = await loadHandlers(compileRules(rules));
    await (await started()).reload(rules);
    handlers = next;
    reporter.log({ level: 'info', event: 'reloaded', message: `the rules of ${flags.config} are in force` });
  };
  // Before anything is attached: a second engine on the same socket must leave no trace.
  const control = await serveControl(settings.control, {
    stats: async () => (await started()).stats(),
    flows: async () => (await started()).flows(),
    reload,
  });
  try {
    interception = intercept({
      interfaces: settings.interfaces,
      rules: settings.rules,
      drainSeconds: settings.drainSeconds,
      workers: settings.workers,
      flowLimit: settings.flowLimit,
      log: reporter.log,
    });
    await untilStopped(interception, () => handlers, reload, reporter);
  } finally {
    await control.close();
    // A handler's own timers must not keep a stopped engine alive; what ends by itself ends before this.
    setTimeout(() => process.exit(), 500).unref();
  }
}

async function untilStopped(
  interception: Interception,
  handlers: () => Handlers,
  reload: () => Promise<void>,
  reporter: Reporter,
): Promise<void> {
  let closing: Promise<void> | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    if (closing) process.exit(130);
    reporter.log({ level: 'info', event: 'stopping', message: `${signal}: taking no new flow, draining` });
    closing = interception.close();
    closing.catch(() => {});
  };
  const hangUp = (): void => {
    reload().catch((error: Error & { hint?: string }) => {
      const message = `reloading failed and the old rules stay: ${error.message}${error.hint ? ` (${error.hint})` : ''}`;
      reporter.log({ level: 'error', event: 'reloadFailed', message });
    });
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', hangUp);
  try {
    const closed = interception.closed.then(() => 'closed' as const);
    closed.catch(() => {});
    const first = await Promise.race([interception.ready.then(() => 'ready' as const), closed]);
    if (first === 'ready') {
      reporter.ready();
      notifySystemd();
      consume(interception, handlers, reporter).catch(() => {});
    }
    await closed;
    await closing;
    if (first === 'closed') throw new Exit(130);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', hangUp);
  }
}

function rulesAgain(flags: RunFlags, settings: RunSettings): RunSettings['rules'] {
  if (flags.config === undefined || settings.rulesFrom === 'flags') {
    throw new UsageError(
      'there is nothing to reload: the rules of this engine came from its command line or environment',
      'start it with -c FILE and without -p',
    );
  }
  return resolveSettings(flags, readConfig(flags.config)).rules;
}

function readConfig(path: string): Config {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(
      `reading the configuration file ${path}: ${(error as Error).message}`,
      'name a file that exists and can be read with -c',
    );
  }
  return loadConfig(text, path);
}
