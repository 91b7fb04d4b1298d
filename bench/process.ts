import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Every child that is not known to have ended: whatever goes wrong, nothing that the benchmark started outlives it. */
const living = new Set<ChildProcess>();
/** Those of them that are waited for: an interrupted run ends these, and stops the others in order. */
const awaited = new Set<ChildProcess>();

export class CommandFailed extends Error {}

function launch(argv: string[], stdio: StdioOptions): ChildProcess {
  const [file, ...rest] = argv;
  if (file === undefined) throw new Error('an empty command line');
  // A group of its own: Ctrl-C reaches the benchmark alone, which then takes things down in order.
  const child = spawn(file, rest, { stdio, detached: true });
  living.add(child);
  child.once('exit', () => living.delete(child));
  child.once('error', () => living.delete(child));
  return child;
}

/** Runs a command to its end and returns its stdout; fails when it exits with another code than 0 or takes too long. */
export async function run(
  argv: string[],
  options: { seconds?: number; input?: string; quiet?: boolean } = {},
): Promise<string> {
  const { seconds = 30, input, quiet = false } = options;
  const child = launch(argv, ['pipe', quiet ? 'ignore' : 'pipe', 'pipe']);
  awaited.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin?.on('error', () => {}).end(input ?? '');
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, seconds * 1000);
  try {
    const [code, signal] = await once(child, 'close');
    if (code !== 0) {
      const why = late ? `not done after ${seconds} s` : `exit ${signal ?? code}`;
      throw new CommandFailed(`${argv.join(' ')}: ${why}: ${(stderr || stdout).trim().slice(-800)}`);
    }
    return stdout;
  } finally {
    clearTimeout(timer);
    awaited.delete(child);
  }
}

/** A command that goes on in the background until it is stopped. */
export class Background {
  readonly #child: ChildProcess;
  readonly #name: string;
  #stdout = '';
  #stderr = '';
  #ended = false;

  constructor(argv: string[], name: string) {
    this.#name = name;
    this.#child = launch(argv, ['pipe', 'pipe', 'pipe']);
    this.#child.stdin?.on('error', () => {});
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4000);
    });
    this.#child.once('close', () => {
      this.#ended = true;
    });
    this.#child.once('error', (error) => {
      this.#stderr += error.message;
      this.#ended = true;
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new CommandFailed(`${this.#name} did not start`);
    return this.#child.pid;
  }

  /** The end of what it wrote to its stderr. */
  get complaints(): string {
    return this.#stderr.trim().slice(-1000);
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Takes the next whole line from its stdout. */
  async line(seconds: number): Promise<string> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const end = this.#stdout.indexOf('\n');
      if (end >= 0) {
        const line = this.#stdout.slice(0, end);
        this.#stdout = this.#stdout.slice(end + 1);
        return line;
      }
      this.assertAlive();
      if (Date.now() > deadline) {
        throw new CommandFailed(`${this.#name}: no line for ${seconds} s: ${this.#stderr.trim()}`);
      }
      await sleep(5);
    }
  }

  assertAlive(): void {
    if (this.#ended) throw new CommandFailed(`${this.#name} ended: ${this.#stderr.trim()}`);
  }

  /** Returns false when it had to be killed. */
  async stop(seconds = 10): Promise<boolean> {
    if (this.#ended) return true;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), seconds * 1000);
    const [, signal] = await closed;
    clearTimeout(timer);
    return signal !== 'SIGKILL';
  }
}

/** Makes whatever waits for a command fail now. */
export function killAwaited(): void {
  for (const child of awaited) child.kill('SIGKILL');
}

export function killAll(): void {
  for (const child of living) child.kill('SIGKILL');
}
