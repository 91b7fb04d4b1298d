import { type ChildProcess, execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { LogEvent } from '../../src/engine/options.js';
import type { FlowInfo, ReleaseOutcome, Stats } from '../../src/flow/stats.js';
import type { Lab } from '../../src/lab/index.js';
import { bin } from './harness.js';
import { Lines } from './program.js';

/** `desplice run` in the middle of a lab. */
export class Engine {
  stderr = '';
  readonly #lines: Lines;
  readonly #exit: Promise<number>;
  running = true;

  private constructor(
    readonly child: ChildProcess,
    readonly control: string,
  ) {
    this.#lines = new Lines(child.stdout);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#exit = new Promise((resolve) =>
      child.once('close', (code, signal) => {
        this.running = false;
        if (signal) this.stderr += `ended by ${signal}`;
        resolve(code ?? -1);
      }),
    );
  }

  static async start(lab: Lab, control: string, interfaces: string[], args: string[]): Promise<Engine> {
    const engine = Engine.launch(lab, control, interfaces, args);
    await engine.ready();
    return engine;
  }

  /** The same, without waiting until it is ready. */
  static launch(lab: Lab, control: string, interfaces: string[], args: string[]): Engine {
    const flags = interfaces.flatMap((name) => ['-i', name]);
    const argv = [process.execPath, bin, 'run', ...flags, '--control', control, '--json', ...args];
    return new Engine(lab.spawn('middle', argv), control);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** The events that it has printed. */
  get events(): LogEvent[] {
    return this.#lines.all.map((line) => JSON.parse(line));
  }

  async ready(): Promise<void> {
    const seen = this.#lines.until((line) => JSON.parse(line).event === 'ready');
    const first = await Promise.race([seen.then(() => 'ready'), this.#exit, timeout(30_000)]);
    if (first === 'ready') return;
    this.child.kill('SIGKILL');
    const why = first === undefined ? 'it was not ready within 30 s' : `it ended with code ${first}`;
    throw new Error(`desplice run: ${why}\nstdout: ${this.#lines.all.join('\n')}\nstderr: ${this.stderr}`);
  }

  stats(): Promise<Stats> {
    return this.#ask<Stats>('stats');
  }

  flows(): Promise<FlowInfo[]> {
    return this.#ask<FlowInfo[]>('flows');
  }

  /** `desplice release`: what became of each flow. */
  release(ids: string[] | 'all', withinSeconds = 5): Promise<ReleaseOutcome[]> {
    return this.#ask('release', ['--within', String(withinSeconds), ...(ids === 'all' ? ['--all'] : ids)]);
  }

  async #ask<T>(what: string, args: string[] = []): Promise<T> {
    const argv = [bin, what, '--json', '--control', this.control, ...args];
    return new Promise((resolve, reject) => {
      // `release` exits with 1 when a flow was refused, which its answer says.
      execFile(process.execPath, argv, { maxBuffer: 1 << 28 }, (error, stdout) => {
        if (stdout === '') reject(error ?? new Error(`desplice ${what} said nothing`));
        else resolve(JSON.parse(stdout) as T);
      });
    });
  }

  /** As an administrator stops it; resolves to its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    this.child.kill(signal);
    const code = await Promise.race([this.#exit, timeout(40_000)]);
    if (code !== undefined) return code;
    this.child.kill('SIGKILL');
    throw new Error(`desplice run: it was still there 40 s after ${signal}\nstderr: ${this.stderr}`);
  }

  /** Resolves to its exit code when it ends by itself. */
  ended(ms: number): Promise<number | undefined> {
    return Promise.race([this.#exit, timeout(ms)]);
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  get residentMegabytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
  }
}

function timeout(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref());
}
