/** The kernel side of the engine: the program, its maps, where it is attached, and how it is told the rules. */
import type net from 'node:net';
import { fileURLToPath } from 'node:url';
import { attach, BpfObject, Hook, mapUpdate, sumPerCpu } from '../kernel/bpf.js';
import { KernelError } from '../kernel/errors.js';
import { mmapShared } from '../kernel/ffi.js';
import { isInterface } from '../kernel/netdev.js';
import { close } from '../kernel/socket.js';
import { openTun } from '../kernel/tun.js';
import type { CompiledRule } from '../policy/rules.js';
import { EngineError } from './errors.js';
import { removeFilters } from './filters.js';
import { Keeping } from './keep/keeping.js';
import { type KeptMaps, keptMaps } from './keep/table.js';
import { Config, kernelCounters, MAX_RULES, MAX_WORKERS, RULE_BYTES, Setting } from './layout.js';
import { lockNamespace, shareLock } from './lock.js';
import { optionNames } from './option-names.js';
import type { LogEvent } from './options.js';
import type { RunningEngine } from './replace/running-engine.js';
import { GENERATIONS } from './rule-book.js';
import {
  addLocalDelivery,
  changeSettings,
  destroyForeignSockets,
  type Link,
  links,
  MARK,
  MARK_MASK,
  removeLocalDelivery,
  restoreSettings,
  upTun,
} from './system.js';

const OBJECT = fileURLToPath(new URL('../bpf/tracker.bpf.o', import.meta.url));

interface Tun {
  fd: number;
  ifname: string;
}

/** What is there before us: maps that go on, as descriptors. */
interface Before {
  keeping: Keeping | null;
  maps: Record<string, number> | null;
}

export class Datapath {
  readonly tuns: Tun[] = [];
  readonly maps: { config: number; handshakes: number; flows: number; counters: number; unsupported: number };
  readonly #object: BpfObject;
  readonly #config: DataView;
  readonly #links: Link[];
  readonly #locks: net.Server[];
  /** Null: taken flows end with this process. */
  readonly keeping: Keeping | null;
  #attached = false;
  /** What is set up in the system besides our own devices is another engine's: of one that we are to replace, or that has
   *  replaced us. */
  #others = false;

  private constructor(found: Link[], locks: net.Server[], flowLimit: number, before: Before) {
    this.keeping = before.keeping;
    this.#links = found;
    this.#locks = locks;
    try {
      this.#object = new BpfObject(OBJECT, { flows: flowLimit }, before.maps ?? {});
    } catch (cause) {
      this.keeping?.close();
      const code = cause instanceof KernelError ? cause.code : '';
      const hint =
        code === 'EPERM' || code === 'EACCES'
          ? 'run as root, or with CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON'
          : code === 'ENOENT'
            ? 'run make build'
            : 'desplice doctor says what this machine lacks';
      throw new EngineError(
        'BPF',
        `the kernel program could not be loaded: ${(cause as Error).message}`,
        hint,
        { cause },
      );
    }
    const map = (name: string) => this.#object.map(name);
    this.maps = {
      config: map('config'),
      handshakes: map('handshakes'),
      flows: map('flows'),
      counters: map('counters'),
      unsupported: map('unsupported'),
    };
    if (this.keeping) this.keeping.maps = this.allMaps;
    this.#config = new DataView(mmapShared(this.maps.config, Config.bytes));
    // Another engine was killed, perhaps while it wrote a packet.
    for (let i = 0; i < MAX_WORKERS; i++) this.#config.setUint32(Config.writing + 4 * i, 0, true);
  }

  /** The program that changes a flow's entry. */
  get changeFlow(): number {
    return this.#object.program('change_flow');
  }

  /** Loads the program and makes the TUN devices. Nothing is intercepted before `attach`. */
  static async open(
    interfaces: readonly string[],
    workers: number,
    flowLimit: number,
    options: { keep: boolean; log: (event: LogEvent) => void; running: RunningEngine | null },
  ): Promise<Datapath> {
    const { keep, log, running } = options;
    if (workers < 1 || workers > MAX_WORKERS) {
      throw new EngineError('WORKERS', `found ${workers} workers, expected 1 to ${MAX_WORKERS}`, undefined, {
        usage: true,
      });
    }
    if (process.geteuid?.() !== 0) {
      throw new EngineError(
        'NOT_ROOT',
        'intercepting needs root: it loads a kernel program and sets routes',
        'use sudo',
      );
    }
    const all = links();
    const found = interfaces.map((name) => {
      const link = all.find((l) => l.ifname === name);
      if (link) return link;
      const known = all.map((l) => l.ifname).join(', ');
      throw new EngineError('NO_INTERFACE', `there is no interface ${name}`, `there are: ${known}`, {
        usage: true,
      });
    });
    const locks: net.Server[] = [];
    let datapath: Datapath | null = null;
    try {
      if (!running) locks.push(await lockNamespace());
      const before: Before = running
        ? {
            keeping: keep ? Keeping.beside(workers, flowLimit, running.welcome.slots, log) : null,
            maps: running.maps(),
          }
        : Keeping.open(keep, workers, flowLimit, log);
      datapath = new Datapath(found, locks, flowLimit, before);
      if (running) {
        datapath.#others = true;
        // No connection that it has selected is taken for one that we have.
        datapath.#config.setUint32(Config.generation, running.welcome.generation + GENERATIONS, true);
      }
      // The programs have them now.
      for (const fd of Object.values(before.maps ?? {})) close(fd);
      for (let i = 0; i < workers; i++) datapath.#addTun(i);
      datapath.#config.setUint32(Config.workers, workers, true);
      datapath.#config.setUint32(Config.mark, MARK, true);
      datapath.#config.setUint32(Config.markMask, MARK_MASK, true);
      return datapath;
    } catch (error) {
      if (datapath) datapath.close();
      else for (const held of locks) held.close();
      throw error;
    }
  }

  #addTun(i: number): void {
    let tun: Tun;
    try {
      const { fd, name } = openTun('desplice%d');
      tun = { fd, ifname: name };
    } catch (cause) {
      throw new EngineError(
        'TUN',
        `a TUN device could not be made: ${(cause as Error).message}`,
        'modprobe tun',
        { cause },
      );
    }
    this.tuns.push(tun);
    const ifindex = upTun(tun.ifname);
    this.#config.setUint32(Config.tun + i * 4, ifindex, true);
    attach(ifindex, Hook.ingress, this.#object.program('track_engine'), tun.ifname);
  }

  /** Which generation of rules the next `setRules` puts in force. */
  get nextGeneration(): number {
    return (this.#config.getUint32(Config.generation, true) + 1) >>> 0;
  }

  /** Writes the rules into the bank that is not in force, then changes banks: one store. */
  setRules(rules: readonly CompiledRule[], keepPorts: boolean): void {
    if (rules.length > MAX_RULES)
      throw new EngineError('RULES', `more than ${MAX_RULES} rules`, undefined, { usage: true });
    const generation = this.nextGeneration;
    const next = generation & 1;
    const value = new DataView(new ArrayBuffer(RULE_BYTES * MAX_RULES));
    rules.forEach((rule, i) => {
      const at = i * RULE_BYTES;
      [rule.from, rule.to].forEach((cidr, which) => {
        if (!cidr) return;
        for (let b = 0; b < 16; b++) {
          const bits = Math.max(0, Math.min(8, cidr.prefix - b * 8));
          value.setUint8(at + which * 32 + b, cidr.bytes[b] as number);
          value.setUint8(at + which * 32 + 16 + b, (0xff00 >> bits) & 0xff);
        }
      });
      value.setUint16(at + 64, rule.lo, true);
      value.setUint16(at + 66, rule.hi, true);
      value.setUint8(at + 68, rule.action === 'forward' ? 1 : 0);
      value.setUint8(at + 69, rule.rule);
      value.setUint8(at + 70, (rule.ecnOff ? Setting.ECN_OFF : 0) | (rule.strip ? Setting.STRIP : 0));
    });
    const key = new Uint8Array(new Uint32Array([next]).buffer);
    const result = mapUpdate(this.#object.map('rule_banks'), key, new Uint8Array(value.buffer));
    if (result < 0) throw new KernelError('bpf_map_update_elem', -result, 'rule_banks');
    this.#config.setUint32(Config.ruleCount + next * 4, rules.length, true);
    const ports = new Uint8Array(this.#config.buffer, Config.ports, 8192);
    // Taken flows keep their action, so their ports must go on being looked at.
    const fresh = keepPorts ? ports.slice() : new Uint8Array(8192);
    for (const { lo, hi } of rules) {
      for (let port = lo; port <= hi; port++)
        fresh[port >> 3] = (fresh[port >> 3] as number) | (1 << (port & 7));
    }
    ports.set(fresh);
    this.#config.setUint32(Config.generation, generation, true);
  }

  /** New handshakes match nothing from now on. */
  stopSelecting(): void {
    this.setRules([], true);
  }

  /** From here on packets meet the program. The workers must be beating. */
  attach(): void {
    const goingOn = this.keeping?.adopting === true;
    changeSettings();
    destroyForeignSockets(goingOn);
    addLocalDelivery(goingOn);
    this.attachPrograms();
    this.removeOthers([]);
  }

  /** Our programs on the watched interfaces, each in place of another engine's in one step. */
  attachPrograms(): void {
    this.#attached = true;
    for (const link of this.#links) {
      const kind = link.link_type === 'ether' || link.link_type === 'loopback' ? 'ethernet' : 'raw';
      attach(link.ifindex, Hook.egress, this.#object.program(`dress_${kind}`), link.ifname);
      attach(link.ifindex, Hook.ingress, this.#object.program(`track_${kind}`), link.ifname);
    }
  }

  /** Programs that another engine has left elsewhere, or on an interface that has another name now. */
  removeOthers(spare: readonly string[]): void {
    const ours = [...this.#links, ...this.tuns].map(({ ifname }) => ifname).concat(spare);
    for (const { ifindex, ifname } of links()) if (!ours.includes(ifname)) removeFilters(ifindex, ifname);
  }

  /** What a running engine has set up already, and would be missed if it went: nothing changes where it is there. */
  prepareSystem(): void {
    changeSettings();
    addLocalDelivery(true);
  }

  /** Ports of flows that come from a running engine go on being looked at. */
  addPorts(more: Uint8Array): void {
    const ports = new Uint8Array(this.#config.buffer, Config.ports, more.length);
    more.forEach((bits, i) => {
      ports[i] = (ports[i] as number) | bits;
    });
  }

  /** The running engine's flows and its system are ours; `lock` is a copy of its lock. */
  async takeSystem(lock: number): Promise<void> {
    this.#others = false;
    try {
      this.#locks.push(await shareLock(lock));
    } catch (error) {
      close(lock);
      throw error;
    }
  }

  /** They are another engine's. */
  leaveSystem(): void {
    this.#others = true;
  }

  /** Null: it could not be taken over from the engine before. */
  get lock(): net.Server | null {
    return this.#locks[0] ?? null;
  }
  get interfaces(): string[] {
    return this.#links.map(({ ifname }) => ifname);
  }
  get generation(): number {
    return this.#config.getUint32(Config.generation, true);
  }
  /** All that the programs use, by name. */
  get allMaps(): KeptMaps {
    const entries = keptMaps.map((name) => [name, this.#object.map(name)]);
    return Object.fromEntries(entries) as KeptMaps;
  }

  /** In place of workers that are about to begin: what comes from here on is held for them. */
  beat(): void {
    const now = process.hrtime.bigint();
    for (let i = 0; i < this.tuns.length; i++) this.#config.setBigUint64(Config.heartbeat + 8 * i, now, true);
  }

  /** Names of watched interfaces that are gone. */
  vanished(): string[] {
    return this.#links.filter((l) => !isInterface(l.ifname, l.ifindex)).map((l) => l.ifname);
  }

  counters(): Record<(typeof kernelCounters)[number], number> {
    const entries = kernelCounters.map((name, i) => [name, sumPerCpu(this.maps.counters, i)] as const);
    return Object.fromEntries(entries) as Record<(typeof kernelCounters)[number], number>;
  }

  /** How often each TCP option kind kept a flow from being taken. */
  byOption(): Record<string, number> {
    const found: Record<string, number> = {};
    for (let kind = 0; kind < 258; kind++) {
      const n = sumPerCpu(this.maps.unsupported, kind);
      const name = optionNames[kind] ?? String(kind);
      if (n > 0) found[name] = (found[name] ?? 0) + n;
    }
    return found;
  }

  /** Removes all that was set up. Safe to call at any point. */
  close(): void {
    // It serves flows that another engine has kept until we have taken over, or that the next one will take over.
    const { keeping } = this;
    const leave = keeping?.abandoned || (keeping?.adopting && !keeping.committed);
    if (this.#attached && !leave && !this.#others) {
      for (const link of this.#links) removeFilters(link.ifindex, link.ifname);
      removeLocalDelivery();
      restoreSettings();
    }
    for (const tun of this.tuns) close(tun.fd);
    keeping?.close();
    this.#object.close();
    for (const held of this.#locks) held.close();
  }
}
