import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** A command that runs, or ran, in one of the demo's namespaces. */
export interface Running {
  readonly child: ChildProcess;
  readonly name: string;
  /** All that it wrote so far. */
  output(): string;
  /** Resolves to the exit code, null when a signal ended it. */
  readonly exit: Promise<number | null>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** How long a command may take to end after it was asked to, before it is killed. */
const patienceMilliseconds = 10_000;

/**
 * Starts `argv` behind `prefix` (what enters a namespace). It gets a process group of its own, so that Ctrl-C reaches
 * the demo alone, which then ends everything in order.
 */
export function start(prefix: string[], argv: string[], onText?: (text: string) => void): Running {
  const child = spawn(...command(prefix, argv), { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const add = (chunk: Buffer): void => {
    text += chunk.toString('utf8');
    onText?.(text);
  };
  child.stdout.on('data', add);
  child.stderr.on('data', add);
  return running(child, argv, () => text);
}

/** The same for what may outlive the demo: it writes to a file, where no reader can go away. */
export function startService(prefix: string[], argv: string[], log: string): Running {
  const file = openSync(log, 'w', 0o600);
  const child = spawn(...command(prefix, argv), { detached: true, stdio: ['ignore', file, file] });
  closeSync(file);
  return running(child, argv, () => readFileSync(log, 'utf8'));
}

function command(prefix: string[], argv: string[]): [string, string[]] {
  const [first = '', ...rest] = [...prefix, ...argv];
  return [first, rest];
}

function running(child: ChildProcess, argv: string[], output: () => string): Running {
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`starting ${argv[0]}: ${error.message}`)));
    child.once('close', (code) => resolve(code));
  });
  exit.catch(() => {});
  return {
    child,
    name: argv.join(' '),
    output,
    exit,
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), patienceMilliseconds);
      await exit.catch(() => {});
      clearTimeout(timer);
    },
  };
}

/** Waits for the end and returns the output; a failure is an error that shows it. */
export async function finish(running: Running): Promise<string> {
  const code = await running.exit;
  if (code !== 0) {
    throw new Error(`${running.name}: exit code ${code}\n${running.output().trimEnd()}`);
  }
  return running.output();
}

/** Waits until `test` holds for the output; an end before that, or too long a time, is an error that shows the output. */
export async function waitFor(
  running: Running,
  what: string,
  test: (text: string) => boolean,
): Promise<void> {
  const deadline = Date.now() + patienceMilliseconds;
  for (;;) {
    if (test(running.output())) return;
    if (running.child.exitCode !== null || running.child.signalCode !== null) {
      throw new Error(`${what}: it ended instead\n${running.output().trimEnd()}`);
    }
    if (Date.now() > deadline) {
      throw new Error(`${what}: not within ${patienceMilliseconds / 1000} s\n${running.output().trimEnd()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
