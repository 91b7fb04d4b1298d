/** A systemd of one's own in the middle of a lab: a user instance (`systemd --user`), run by root. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../../src/lab/index.js';
import { waitFor } from './harness.js';

const program = '/lib/systemd/systemd';
const bases = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup'];

/** Undefined on a machine where none can be started. */
export const controlGroups = existsSync(program) ? bases.find((base) => existsSync(base)) : undefined;

export class ServiceManager {
  readonly #child: ChildProcess;
  readonly #group: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(
    lab: Lab,
    readonly folder: string,
  ) {
    // With a control group of its own it leaves none in those of others.
    this.#group = join(controlGroups as string, lab.prefix);
    mkdirSync(this.#group, { recursive: true });
    mkdirSync(join(folder, 'systemd/user'), { recursive: true });
    this.#env = { ...process.env, XDG_RUNTIME_DIR: folder, XDG_CONFIG_HOME: folder };
    // A user instance starts where the machine was booted with systemd only, which it tells by /run/systemd/system. `ip netns
    // exec` would hide the control groups.
    const script = [
      `echo $$ > ${this.#group}/cgroup.procs`,
      'mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/system',
      `exec ${program} --user`,
    ].join(' && ');
    const inside = [`--net=/run/netns/${lab.namespace('middle')}`, 'unshare', '--mount', 'sh', '-c', script];
    this.#child = spawn('nsenter', inside, { env: this.#env, stdio: 'ignore' });
  }

  ready(): Promise<void> {
    return waitFor('a service manager', () => existsSync(join(this.folder, 'systemd/private')));
  }

  /** Adds a unit, and a drop-in to it. */
  add(name: string, text: string, dropIn: string): void {
    const file = join(this.folder, 'systemd/user', name);
    writeFileSync(file, text);
    mkdirSync(`${file}.d`);
    writeFileSync(`${file}.d/test.conf`, dropIn);
  }

  /** `systemctl --user`: what it prints. */
  control(...args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile('systemctl', ['--user', ...args], { env: this.#env }, (error, stdout, stderr) => {
        if (error) reject(new Error(`systemctl ${args.join(' ')}: ${stderr || stdout || error.message}`));
        else resolve(stdout.trim());
      });
    });
  }

  property(unit: string, name: string): Promise<string> {
    return this.control('show', '--value', '-p', name, unit);
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGTERM');
      await gone;
    }
    // It removes what it has left when it ends, its own group included, if it gets that far.
    if (existsSync(this.#group)) removeGroup(this.#group);
  }
}

function removeGroup(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(path, entry.name));
  rmdirSync(path);
}
