import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { ControlError } from '../control/error.js';
import { serveControl } from '../control/server.js';
import { type Interception, intercept } from '../index.js';
import { type Config, loadConfig } from '../policy/config.js';
import { UsageError } from '../policy/errors.js';
import { compileRules } from '../policy/rules.js';
import { Exit } from './fail.js';
import { consume, type Handlers, loadHandlers } from './handler.js';
import { isHere, whoAnswers } from './network.js';
import { notifySystemd } from './notify.js';
import { createReporter, type Reporter } from './reporter.js';
import { runOptions } from './run-options.js';
import { type RunFlags, type RunSettings, resolveSettings } from './settings.js';
import { Successor } from './successor.js';

export function runCommand(): Command {
  return runOptions().action(run);
}

async function run(flags: RunFlags): Promise<void> {
  const file = flags.config === undefined ? null : readConfig(flags.config);
  const settings = resolveSettings(flags, file);
  // Before anything is set up: rules that make no sense are refused here.
  compileRules(settings.rules);
  const handlers: Handlers = new Map();
  await loadHandlers(settings.rules, handlers);
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
    await loadHandlers(rules, handlers);
    await (await started()).reload(rules);
    reporter.log({ level: 'info', event: 'reloaded', message: `the rules of ${flags.config} are in force` });
  };
  // Before anything is attached: a second engine on the same socket must leave no trace.
  const target = {
    stats: async () => (await started()).stats(),
    flows: async () => (await started()).flows(),
    release: async (ids: string[] | null, within: number) =>
      (await started()).release(ids ?? 'all', { within }),
    reload,
  };
  if (settings.replace) await refuseForeign(settings.control);
  const control = await serveControl(settings.control, target, settings.replace);
  const successor = new Successor(reporter);
  try {
    interception = intercept({
      interfaces: settings.interfaces,
      rules: settings.rules,
      drainSeconds: settings.drainSeconds,
      workers: settings.workers,
      busyPollUs: settings.busyPollUs,
      flowLimit: settings.flowLimit,
      keep: settings.keep,
      replace: settings.replace,
      log: (event) => {
        if (event.event === 'replaced' && event.pid) successor.took(event.pid);
        reporter.log(event);
      },
    });
    // In the same breath: the engine that was replaced goes, with its socket, right behind this.
    interception.ready.then(() => control.takePath()).catch(() => {});
    await untilStopped(interception, handlers, reload, successor, reporter);
    await successor.introduce();
  } finally {
    await control.close();
    // A handler's own timers must not keep a stopped engine alive; what ends by itself ends before this.
    setTimeout(() => process.exit(), 500).unref();
  }
}

/** One Ctrl-C may come twice: from the terminal, and from a parent (npm, make, `lab exec`) that passes it on. */
const echoMilliseconds = 300;

async function untilStopped(
  interception: Interception,
  handlers: Handlers,
  reload: () => Promise<void>,
  successor: Successor,
  reporter: Reporter,
): Promise<void> {
  let closing: Promise<void> | undefined;
  let firstSignal = 0;
  const stop = (signal: NodeJS.Signals): void => {
    if (closing) {
      if (performance.now() - firstSignal > echoMilliseconds) process.exit(130);
      return;
    }
    firstSignal = performance.now();
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
  const replace = (): void => successor.start();
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', hangUp).on('SIGUSR2', replace);
  try {
    const closed = interception.closed.then(() => 'closed' as const);
    closed.catch(() => {});
    const first = await Promise.race([interception.ready.then(() => 'ready' as const), closed]);
    if (first === 'ready' && !closing) {
      reporter.ready();
      notifySystemd();
      consume(interception, handlers, reporter).catch(() => {});
    }
    await closed;
    await closing;
    if (first === 'closed') throw new Exit(130);
  } finally {
    process.off('SIGHUP', hangUp).off('SIGUSR2', replace);
    // Signals are still ours: all is removed, and what is left to do is to say why and to exit with that code.
    const ignore = (): void => {};
    process.on('SIGINT', ignore).on('SIGTERM', ignore).off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** The path of the engine that is replaced becomes ours, but not that of one elsewhere. */
async function refuseForeign(control: string): Promise<void> {
  const pid = await whoAnswers(control);
  if (pid === null || isHere(pid)) return;
  throw new ControlError(
    'CONTROL_BUSY',
    `listening on the control socket ${control}: an engine of another network namespace (process ${pid}) is running there`,
    'give this one a socket of its own with --control PATH',
  );
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
