/** One of the two labs: client, middle and server with a capture and an agent at each end, with or without desplice. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { callControl } from '../../../src/control/client.js';
import type { FlowInfo, Stats } from '../../../src/flow/stats.js';
import { type Lab, labDown, labUp, type Role } from '../../../src/lab/index.js';
import { Engine } from '../../lab/engine.js';
import { Agent } from './agent.js';
import { Capture } from './capture.js';
import type { PathConditions } from './scenario.js';

/** `control` is a second `forwarding`. */
export type Kind = 'forwarding' | 'desplice' | 'control';

/** Every scenario has a port of its own, of those of its rule. */
export const firstPorts = { default: 10_000, handle: 24_000, ecnOff: 26_000, strip: 28_000 } as const;
const handler = fileURLToPath(new URL('pass-through.mjs', import.meta.url));
const rules = `rules:
  - ports: [10000-23999]
  - { ports: [24000-25999], action: 'handle=${handler}' }
  - { ports: [26000-27999], ecn: off }
  - { ports: [28000-29999], unsupported: strip }
`;

const notSocket = (path: string) => !path.endsWith('.sock');

export interface RawAddresses {
  4: string;
  6: string;
  mac: string;
  gateway: string;
}

export type EngineStats = Stats & { forwarded: { byOption?: Record<string, number> } };

export class Path {
  readonly lab: Lab;
  readonly agents = {} as Record<'client' | 'middle' | 'server', Agent>;
  readonly captures = {} as Record<'client' | 'server', Capture>;
  readonly raw = {} as Record<'client' | 'server', RawAddresses>;
  engine: Engine | undefined;
  readonly #folder: string;

  private constructor(
    readonly kind: Kind,
    conditions: PathConditions,
  ) {
    const prefix = `${process.env.DESPLICE_TEST_PREFIX ?? 'dsp-test'}-fidelity-${kind}`;
    this.lab = labUp('inline', { ...conditions, prefix });
    this.#folder = mkdtempSync(join(tmpdir(), `${prefix}-`));
  }

  static async up(kind: Kind, conditions: PathConditions): Promise<Path> {
    const path = new Path(kind, conditions);
    try {
      await path.#prepare();
      return path;
    } catch (error) {
      await path.down();
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    // What a capture shows is then what a wire would carry: no segment longer than the MTU.
    this.#offloads('client', 'eth0');
    this.#offloads('server', 'eth0');
    this.#offloads('middle', 'toclient');
    this.#offloads('middle', 'toserver');
    for (const role of this.lab.roles) this.#receiveOnOneProcessor(role);
    const roles = ['client', 'middle', 'server'] as const;
    const ends = ['client', 'server'] as const;
    await Promise.all([
      ...roles.map(async (role) => {
        this.agents[role] = await Agent.start(this.lab, role);
      }),
      ...ends.map(async (role) => {
        this.captures[role] = await Capture.start(this.lab, role, join(this.#folder, `${role}.pcap`));
      }),
      this.kind === 'desplice' ? this.startEngine() : undefined,
    ]);
    // Ports that the kernel chooses are never those of a scenario, neither the server's nor `fromPort`.
    await this.agents.client.call('sysctl', 'ipv4/ip_local_port_range', '45000 65535');
    await this.#addRawHosts();
  }

  #offloads(role: Role, device: string): void {
    this.lab.exec(role, ['ethtool', '-K', device, 'tso', 'off', 'gso', 'off', 'gro', 'off']);
  }

  /** Two would reorder packets now and then, and an old ACK behind a FIN ends a TIME_WAIT. */
  #receiveOnOneProcessor(role: Role): void {
    this.lab.exec(role, ['sh', '-c', 'for f in /sys/class/net/*/queues/rx-0/rps_cpus; do echo 1 > $f; done']);
  }

  /** `up` does it for `desplice`. */
  async startEngine(): Promise<void> {
    const { clientSide, serverSide } = this.lab.interfaces;
    const config = join(this.#folder, 'rules.yaml');
    writeFileSync(config, rules);
    const interfaces = [clientSide, serverSide];
    this.engine = await Engine.start(this.lab, this.#control, interfaces, ['-c', config]);
  }

  /** Addresses that no kernel owns, so that none answers: the middle has to be told where they are. */
  async #addRawHosts(): Promise<void> {
    const sides = [
      ['client', 'toclient', '192.0.2.77', '2001:db8:1::77'],
      ['server', 'toserver', '198.51.100.77', '2001:db8:2::77'],
    ] as const;
    for (const [end, device, v4, v6] of sides) {
      const mac = await this.agents[end].call<string>('mac', 'eth0');
      const gateway = await this.agents.middle.call<string>('mac', device);
      for (const address of [v4, v6]) {
        const neighbour = ['neigh', 'replace', address, 'lladdr', mac, 'dev', device, 'nud', 'permanent'];
        this.lab.exec('middle', ['ip', ...neighbour]);
      }
      this.raw[end] = { 4: v4, 6: v6, mac, gateway };
    }
  }

  stats(): Promise<EngineStats> {
    return this.#ask<EngineStats>('/v1/stats');
  }

  flows(): Promise<FlowInfo[]> {
    return this.#ask<FlowInfo[]>('/v1/flows');
  }

  async #ask<T>(what: string): Promise<T> {
    try {
      return await callControl<T>(this.#control, 'GET', what);
    } catch (error) {
      if (!this.engine || this.engine.running) throw error;
      const { child, events, stderr } = this.engine;
      const how = child.signalCode ?? `code ${child.exitCode}`;
      const last = events.slice(-5).map((event) => JSON.stringify(event));
      throw new Error(`the engine has ended (${how}): ${stderr}\n${last.join('\n')}`, { cause: error });
    }
  }

  get #control(): string {
    return join(this.#folder, 'control.sock');
  }

  async down(): Promise<void> {
    try {
      if (this.engine) {
        const code = this.engine.running ? await this.engine.stop() : -1;
        if (code !== 0) throw new Error(`desplice run ended with code ${code}: ${this.engine.stderr}`);
      }
    } finally {
      await this.lab.stop();
      for (const capture of Object.values(this.captures)) capture.close();
      const keep = process.env.DESPLICE_FIDELITY_KEEP;
      if (keep) cpSync(this.#folder, join(keep, this.kind), { recursive: true, filter: notSocket });
      labDown(this.lab.prefix);
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }
}
