/** One of the two labs: client, middle and server with a capture and an agent at each end, with or without desplice. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callControl } from '../../../src/control/client.js';
import type { FlowInfo, Stats } from '../../../src/flow/stats.js';
import { type Lab, labDown, labUp, type Role } from '../../../src/lab/index.js';
import { Engine } from '../../lab/engine.js';
import { Agent } from './agent.js';
import { Capture } from './capture.js';
import type { PathConditions } from './scenario.js';

/** `control` is a second `forwarding`. */
export type Kind = 'forwarding' | 'desplice' | 'control';

/** Every scenario has a port of its own, of these. */
export const firstPort = 10_000;
export const lastPort = 29_999;

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
    this.#folder = mkdtempSync(join(tmpdir(), `desplice-fidelity-${kind}-`));
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
    const roles = ['client', 'middle', 'server'] as const;
    const ends = ['client', 'server'] as const;
    await Promise.all([
      ...roles.map(async (role) => {
        this.agents[role] = await Agent.start(this.lab, role);
      }),
      ...ends.map(async (role) => {
        this.captures[role] = await Capture.start(this.lab, role, join(this.#folder, `${role}.pcap`));
      }),
      this.kind === 'desplice' ? this.#startEngine() : undefined,
    ]);
    await this.#addRawHosts();
  }

  #offloads(role: Role, device: string): void {
    this.lab.exec(role, ['ethtool', '-K', device, 'tso', 'off', 'gso', 'off', 'gro', 'off']);
  }

  async #startEngine(): Promise<void> {
    const { clientSide, serverSide } = this.lab.interfaces;
    const args = ['-p', `${firstPort}-${lastPort}`];
    this.engine = await Engine.start(
      this.lab,
      join(this.#folder, 'control.sock'),
      [clientSide, serverSide],
      args,
    );
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
      if (this.engine?.running) await this.engine.stop();
    } finally {
      await this.lab.stop();
      for (const capture of Object.values(this.captures)) capture.close();
      labDown(this.lab.prefix);
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }
}
