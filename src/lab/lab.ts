import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import type { PathConditions, Side } from './conditions.js';
import type { WireCounts } from './counts.js';
import { LabError } from './ip.js';
import { readCounts } from './shaper-process.js';
import { type Addresses, middleInterfaces, type Role, rolesOf, type Topology } from './topology.js';

export interface ExecOptions {
  input?: string;
  timeoutMs?: number;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Return a result for an exit code other than 0 instead of throwing. */
  allowFailure?: boolean;
}

export interface ExecResult {
  /** 128 + signal number is not used here: a signal gives -1, as does a timeout. */
  code: number;
  stdout: string;
  stderr: string;
}

/** A lab that is up: its names and addresses, and running programs inside it. */
export class Lab {
  readonly interfaces = middleInterfaces;
  readonly #children = new Set<ChildProcess>();

  constructor(
    readonly prefix: string,
    readonly topology: Topology,
    readonly addresses: Addresses,
    /** Null: links are as fast as the machine, and no router stands between. */
    readonly path: PathConditions | null = null,
  ) {}

  /** The namespaces that this lab has. */
  get roles(): Role[] {
    return rolesOf(this.topology, this.path);
  }

  get client(): string {
    return this.namespace('client');
  }
  get middle(): string {
    return this.namespace('middle');
  }
  get server(): string {
    return this.namespace('server');
  }

  /** What a shaped link has done so far, at most 100 ms old; null if it is not shaped, or its shaper is gone. */
  counts(side: Side): WireCounts | null {
    return this.path?.[side] ? readCounts(this.prefix, side) : null;
  }

  namespace(role: Role): string {
    return `${this.prefix}-${role}`;
  }

  /** Runs a program in a namespace to its end. */
  exec(role: Role, argv: string[], options: ExecOptions = {}): ExecResult {
    const result = spawnSync('ip', this.#command(role, argv), {
      input: options.input ?? '',
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      env: options.env,
      cwd: options.cwd,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    const done = {
      code: result.status ?? -1,
      stdout: result.stdout ?? '',
      stderr: result.stderr ?? result.error?.message ?? '',
    };
    return this.#judge(role, argv, done, options);
  }

  /** The same without blocking this process. */
  run(role: Role, argv: string[], options: ExecOptions = {}): Promise<ExecResult> {
    return new Promise((resolve, reject) => {
      const child = this.spawn(role, argv, {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: options.env,
        cwd: options.cwd,
        timeout: options.timeoutMs,
        killSignal: 'SIGKILL',
      });
      const out = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
      child.stdout?.on('data', (chunk: Buffer) => out.stdout.push(chunk));
      child.stderr?.on('data', (chunk: Buffer) => out.stderr.push(chunk));
      child.stdin?.on('error', () => {}); // It may end without having read its input.
      child.stdin?.end(options.input ?? '');
      child.on('error', reject);
      child.on('close', (code) => {
        const done = {
          code: code ?? -1,
          stdout: Buffer.concat(out.stdout).toString('utf8'),
          stderr: Buffer.concat(out.stderr).toString('utf8'),
        };
        try {
          resolve(this.#judge(role, argv, done, options));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /**
   * Starts a program in a namespace. `ip netns exec` replaces itself by it, so the process id is the program's own.
   * `stop()` ends what is still running.
   */
  spawn(role: Role, argv: string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('ip', this.#command(role, argv), { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    child.on('error', () => this.#children.delete(child));
    return child;
  }

  /** Ends what `spawn` and `run` started: SIGTERM, and after `patienceMs` SIGKILL. */
  async stop(patienceMs = 2000): Promise<void> {
    const gone = [...this.#children].map(
      (child) => new Promise<void>((resolve) => child.once('exit', () => resolve())),
    );
    for (const child of this.#children) child.kill('SIGTERM');
    const kill = setTimeout(() => {
      for (const child of this.#children) child.kill('SIGKILL');
    }, patienceMs);
    await Promise.all(gone);
    clearTimeout(kill);
  }

  #command(role: Role, argv: string[]): string[] {
    if (!this.roles.includes(role)) {
      const hint =
        role === 'bypass' ? 'the topology `asymmetric` has one' : 'path options of `lab up` make one';
      throw new LabError('LAB', `the lab ${this.prefix} has no ${role}`, hint);
    }
    return ['netns', 'exec', this.namespace(role), ...argv];
  }

  #judge(role: Role, argv: string[], result: ExecResult, options: ExecOptions): ExecResult {
    if (result.code === 0 || options.allowFailure) return result;
    const why = result.stderr.trim() || result.stdout.trim() || 'it said nothing';
    throw new LabError(
      'LAB',
      `${argv.join(' ')} in ${this.namespace(role)}: exit code ${result.code}: ${why}`,
    );
  }
}
