/** Puts a box into the middle of a lab step by step, and takes the steps back in the other order. */
import type { ChildProcess } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from '../../lab/index.js';
import { AuditError } from '../protocol.js';
import type { Ports } from '../wiretap.js';

const patienceMs = 20_000;
/** Of a program that is asked to end. */
const endMs = 5000;

export class Placing {
  readonly #undo: (() => unknown)[] = [];

  constructor(
    readonly lab: Lab,
    readonly ports: Ports,
  ) {}

  /** Each box at most one table. */
  rules(text: string): void {
    this.lab.exec('middle', ['nft', '-f', '-'], { input: `table inet box {\n${text}\n}\n` });
    this.#undo.push(() => this.lab.exec('middle', ['nft', 'delete', 'table', 'inet', 'box']));
  }

  /** Packets that carry the mark 1 are for this machine, whatever their destination. */
  markedAreLocal(): void {
    for (const [family, everywhere] of [
      ['-4', '0.0.0.0/0'],
      ['-6', '::/0'],
    ] as const) {
      const ip = (...args: string[]) => this.lab.exec('middle', ['ip', family, ...args]);
      ip('rule', 'add', 'fwmark', '1', 'lookup', '100');
      ip('route', 'add', 'local', everywhere, 'dev', 'lo', 'table', '100');
      this.#undo.push(() => {
        ip('rule', 'del', 'fwmark', '1', 'lookup', '100');
        ip('route', 'flush', 'table', '100');
      });
    }
  }

  /**
   * What comes from the client's side to the ports of the audit goes to `port` of this machine, and what is for sockets with a
   * foreign address to them: the rules of the kernel's Documentation/networking/tproxy.rst.
   */
  tproxyTo(port: number): void {
    this.markedAreLocal();
    const { first, last } = this.ports;
    const to = (family: 'ipv4' | 'ipv6', word: 'ip' | 'ip6') =>
      `iifname toclient meta nfproto ${family} tcp dport ${first}-${last} tproxy ${word} to :${port} meta mark set 1 accept`;
    this.rules(`chain diverted {
      type filter hook prerouting priority mangle;
      ${ownSockets}
      ${to('ipv4', 'ip')}
      ${to('ipv6', 'ip6')}
    }`);
  }

  /** As above by NAT, which changes the destination: the box asks the kernel for it (SO_ORIGINAL_DST). */
  redirectTo(port: number): void {
    const { first, last } = this.ports;
    this.rules(`chain taken {
      type nat hook prerouting priority dstnat;
      iifname toclient tcp dport ${first}-${last} redirect to :${port}
    }`);
  }

  /** A folder of its own, which belongs to the user that the box becomes. */
  folder(user?: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'desplice-box-'));
    this.#undo.push(() => rmSync(folder, { recursive: true, force: true }));
    if (user) chownSync(folder, ...idsOf(user));
    return folder;
  }

  /** A file in such a folder. */
  file(folder: string, name: string, text: string, user?: string): string {
    const file = join(folder, name);
    writeFileSync(file, text);
    if (user) chownSync(file, ...idsOf(user));
    return file;
  }

  /** Runs a program until the box is taken out; `until` tells that it works. */
  async program(
    argv: string[],
    until: (child: ChildProcess, said: () => string) => boolean | Promise<boolean>,
    env?: NodeJS.ProcessEnv,
  ): Promise<void> {
    const child = this.lab.spawn('middle', argv, env ? { env: { ...process.env, ...env } } : {});
    let said = '';
    const note = (text: Buffer) => {
      said = (said + text).slice(-2000);
    };
    child.stdout?.on('data', note);
    child.stderr?.on('data', note);
    const gone = new Promise<void>((resolve) =>
      child.once('exit', () => resolve()).once('error', () => resolve()),
    );
    this.#undo.push(async () => {
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), endMs);
      await gone;
      clearTimeout(kill);
    });
    const over = () => child.exitCode !== null || child.signalCode !== null;
    for (const deadline = Date.now() + patienceMs; !(await until(child, () => said)); ) {
      if (over() || Date.now() > deadline) {
        const what = over() ? 'ended' : `did not begin to work within ${patienceMs / 1000} s`;
        throw new AuditError('BOX', `${argv[0]} in the lab ${what}: ${said.trim() || 'it said nothing'}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Whether somebody in the middle listens on that TCP port. */
  readonly listens = (port: number) => (): boolean =>
    this.lab.exec('middle', ['ss', '-Hltn', `sport = :${port}`]).stdout !== '';

  sysctl(name: string, value: string): void {
    const before = this.lab.exec('middle', ['sysctl', '-n', name]).stdout.trim();
    const set = (to: string) => this.lab.exec('middle', ['sysctl', '-qw', `${name}=${to}`]);
    set(value);
    this.#undo.push(() => set(before));
  }

  async takeOut(): Promise<void> {
    for (let step = this.#undo.pop(); step; step = this.#undo.pop()) await step();
  }
}

/** Packets of connections that the box holds in the name of others. */
export const ownSockets = 'meta l4proto tcp socket transparent 1 socket wildcard 0 meta mark set 1 accept';

/** `start` of a box: what goes wrong in the middle of it leaves nothing behind. */
export const placed =
  (place: (placing: Placing) => Promise<void>) =>
  async (lab: Lab, ports: Ports): Promise<() => Promise<void>> => {
    const placing = new Placing(lab, ports);
    try {
      await place(placing);
    } catch (error) {
      await placing.takeOut();
      throw error;
    }
    return () => placing.takeOut();
  };

/** Numbers of a user of this machine and of its group. */
export function idsOf(user: string): [uid: number, gid: number] {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${user}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined)
    throw new AuditError('BOX', `this machine has no user ${user}`, 'install the Debian package of the box');
  return [Number(uid), Number(gid)];
}
