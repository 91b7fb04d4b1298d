/** One lab and one engine for each test file, and proof at the end that nothing of either is left. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Stats } from '../../src/flow/stats.js';
import {
  type Lab,
  labDown,
  labList,
  labUp,
  type PathOptions,
  type Role,
  type Topology,
} from '../../src/lab/index.js';
import { Engine } from './engine.js';
import { Program } from './program.js';
import { socketsOf, systemState } from './state.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const bin = join(root, 'bin/desplice');
export const programs = join(root, 'test/programs');

/** Ports that the engine watches, and one that it doesn't: the same scenario on both must look the same. */
export const watched = '80,8000-8999';
export const plainPort = 9500;

export interface RigOptions {
  topology?: Topology;
  serverAliases?: number;
  path?: PathOptions;
  /** Arguments of `run` besides the interfaces and the control socket; null: start no engine. */
  run?: string[] | null;
}

export class Rig {
  lab!: Lab;
  engine!: Engine;
  /** For configuration files and logs; removed with the lab. */
  folder!: string;
  before!: string;
  #programs: Program[] = [];
  readonly #engines: Engine[] = [];
  #nextPort = 8000;

  constructor(
    readonly name: string,
    readonly options: RigOptions,
  ) {}

  /** DESPLICE_TEST_PREFIX lets two checkouts test on one machine. */
  get prefix(): string {
    return `${process.env.DESPLICE_TEST_PREFIX ?? 'dsp-test'}-${this.name}`;
  }

  async up(): Promise<void> {
    this.folder = mkdtempSync(join(tmpdir(), `desplice-${this.name}-`));
    this.lab = labUp(this.options.topology ?? 'inline', {
      prefix: this.prefix,
      serverAliases: this.options.serverAliases,
      path: this.options.path,
    });
    // Links come up, and IPv6 gets its routes, a moment after they were told to.
    await waitFor('links that are up', () => {
      this.before = systemState(this.lab);
      return !this.before.includes('linkdown') && this.before.includes('local 2001:db8:1::1 dev toclient');
    });
    if (this.options.run !== null) this.engine = await this.startEngine(this.options.run ?? ['-p', watched]);
  }

  /** Stops everything and compares the middle with what it was. */
  async down(): Promise<void> {
    try {
      for (const program of this.#programs) await program.stop();
      if (this.engine?.running) {
        expect(await this.engine.stop(), `exit code of the engine; stderr: ${this.engine.stderr}`).toBe(0);
        expect(socketsOf(this.lab), 'sockets in the middle').toBe('');
      }
      if (this.lab) expect(systemState(this.lab)).toBe(this.before);
    } finally {
      await this.lab?.stop();
      labDown(this.prefix);
      if (this.folder) rmSync(this.folder, { recursive: true, force: true });
    }
    expect(labList().filter(({ prefix }) => prefix === this.prefix)).toEqual([]);
  }

  /** A port that no test of this file has used. */
  port(): number {
    return this.#nextPort++;
  }

  async startEngine(args: string[], interfaces?: string[]): Promise<Engine> {
    const engine = this.launchEngine(args, interfaces);
    await engine.ready();
    return engine;
  }

  /** One that is not waited for. */
  launchEngine(args: string[], interfaces = ['toclient', 'toserver']): Engine {
    const engine = Engine.launch(this.lab, join(this.folder, 'control.sock'), interfaces, args);
    this.#engines.push(engine);
    return engine;
  }

  /** Ends what a failed test has left running: the next test has the middle to itself. */
  async killEngines(): Promise<void> {
    for (const engine of this.#engines.splice(0)) {
      if (!engine.running) continue;
      engine.child.kill('SIGKILL');
      await engine.ended(20_000);
    }
  }

  /** Starts a program of test/programs. */
  launch(role: Role, program: string, options: object): Program {
    const argv = [process.execPath, join(programs, program), JSON.stringify(options)];
    const started = new Program(program, this.lab.spawn(role, argv));
    this.#programs.push(started);
    return started;
  }

  /** The same, and waits for its first line. */
  async start(role: Role, program: string, options: object): Promise<Program> {
    const started = this.launch(role, program, options);
    await started.line();
    return started;
  }

  serve(options: object): Promise<Program> {
    return this.start('server', 'server.mjs', options);
  }

  /** Runs a program to its end and returns the JSON that it printed. */
  async client<T = FlowsResult>(options: object, program = 'client.mjs', timeoutMs = 60_000): Promise<T> {
    const argv = [process.execPath, join(programs, program), JSON.stringify(options)];
    const { stdout } = await this.lab.run('client', argv, { timeoutMs });
    return JSON.parse(stdout) as T;
  }

  /**
   * Starts the client that makes its own frames, and waits for its line `{"sent":true}`. Its address is nobody's, so
   * that the middle has to be told where it is.
   */
  async rawClient(options: { port: number } & Record<string, unknown>): Promise<Program> {
    const source = '192.0.2.77';
    const address = (role: Role, device: string) =>
      this.lab.exec(role, ['cat', `/sys/class/net/${device}/address`]).stdout.trim();
    const [own, gateway] = [address('client', 'eth0'), address('middle', 'toclient')];
    this.lab.exec('middle', ['ip', 'neigh', 'replace', source, 'lladdr', own, 'dev', 'toclient']);
    return this.start('client', 'raw-client.mjs', {
      host: this.lab.addresses.server4,
      source,
      gateway,
      ...options,
    });
  }

  async attempt(host: string, port: number, timeoutMs = 20_000, from = 0): Promise<Attempt> {
    const argv = [
      process.execPath,
      join(programs, 'attempt.mjs'),
      host,
      ...[port, timeoutMs, from].map(String),
    ];
    return JSON.parse((await this.lab.run('client', argv)).stdout);
  }

  /** What the counters gained while `action` ran, once no flow is active any more. */
  async counted(action: () => Promise<void>): Promise<Stats> {
    const before = await this.engine.stats();
    await action();
    await waitFor('no active flow', async () => (await this.engine.stats()).flows.active === 0);
    return subtract(await this.engine.stats(), before);
  }
}

export interface Attempt {
  outcome: string;
  ms: number;
}

export interface FlowsResult {
  ok: number;
  failed: Record<string, number>;
  ms: number;
  accepted?: number[][];
}

/** Registers the hooks of a test file. */
export function useRig(name: string, options: RigOptions = {}): Rig {
  const rig = new Rig(name, options);
  beforeAll(() => rig.up());
  afterAll(() => rig.down());
  return rig;
}

/** In how many of the ways of `forwarded`, and as intercepted, flows were counted. */
export function counts(stats: Stats): Record<string, number> {
  const all: Record<string, unknown> = { intercepted: stats.flows.intercepted, ...stats.forwarded };
  const numbers = Object.entries(all).filter((each): each is [string, number] => typeof each[1] === 'number');
  return Object.fromEntries(numbers.filter(([, n]) => n !== 0));
}

/** `ms` is for a machine that does a lot besides. Whoever means to say how soon something comes measures it. */
export async function waitFor(
  what: string,
  ready: () => Promise<boolean> | boolean,
  ms = 20_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await ready())) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain for: ${what}`);
    await sleep(50);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function subtract<T extends object>(a: T, b: T): T {
  const entries = Object.entries(a).map(([key, value]) => {
    const before = (b as Record<string, unknown>)[key];
    if (typeof value === 'number') return [key, value - ((before as number | undefined) ?? 0)];
    return [key, typeof value === 'object' && value ? subtract(value, (before as object) ?? {}) : value];
  });
  return Object.fromEntries(entries) as T;
}
