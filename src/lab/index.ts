/** Network-namespace topologies for the demo, the tests and the benchmarks: client, middle and server on one machine. */
import { execFileSync } from 'node:child_process';
import { type PathConditions, type PathOptions, pathConditions, type Side, sides } from './conditions.js';
import type { WireCounts } from './counts.js';
import { ip, ipBatch, LabError, namespaces, processesIn } from './ip.js';
import { Lab } from './lab.js';
import { readPath, setPath } from './path.js';
import { deadWires, readCounts } from './shaper-process.js';
import {
  addressesWith,
  maxServerAliases,
  planOf,
  type Role,
  roles,
  type Topology,
  topologies,
} from './topology.js';

export type {
  Direction,
  DirectionOptions,
  LinkOptions,
  PathConditions,
  PathOptions,
  RouterOptions,
  Side,
} from './conditions.js';
export type { WayCounts, WireCounts } from './counts.js';
export { LabError } from './ip.js';
export { type ExecOptions, type ExecResult, Lab } from './lab.js';
export { picture } from './picture.js';
export { shaperOf } from './shaper-process.js';
export { type Addresses, type Role, roles, type Topology, topologies } from './topology.js';

export const defaultPrefix = 'desplice';

export interface LabOptions {
  prefix?: string;
  /** So many further IPv4 addresses for the server, for more flows than one address has ports. */
  serverAliases?: number;
  /** Delay, loss and the like on the links, and routers between. Absent: neither. */
  path?: PathOptions;
}

/** Makes a lab. What is left of one with the same prefix is taken down first. */
export function labUp(topology: Topology, options: LabOptions = {}): Lab {
  const prefix = checkedPrefix(options.prefix);
  const aliases = options.serverAliases ?? 0;
  if (!topologies.includes(topology)) {
    throw new LabError('USAGE', `there is no topology ${topology}`, `choose one of ${topologies.join(', ')}`);
  }
  if (!Number.isInteger(aliases) || aliases < 0 || aliases > maxServerAliases) {
    throw new LabError('USAGE', `${aliases} further server addresses`, `0 to ${maxServerAliases} fit`);
  }
  const path = pathConditions(options.path);
  if (topology === 'asymmetric' && (path?.routers.client || path?.routers.server)) {
    throw new LabError('USAGE', 'routers stand only in the topology inline', 'leave path.routers out');
  }
  labDown(prefix);
  const lab = new Lab(prefix, topology, addressesWith(aliases, path), path);
  try {
    build(lab);
  } catch (error) {
    labDown(prefix);
    throw error;
  }
  return lab;
}

function build(lab: Lab): void {
  const plan = planOf(lab.topology, (role) => lab.namespace(role), lab.addresses, lab.path);
  ipBatch(
    null,
    plan.roles.map((role) => `netns add ${lab.namespace(role)}`),
  );
  // Before there are interfaces: they inherit `default`.
  for (const role of plan.roles) {
    setKernelKnobs(lab, role, {
      'ipv4/conf/all/rp_filter': '0',
      'ipv4/conf/default/rp_filter': '0',
      'ipv6/conf/default/accept_ra': '0',
      // Link-local addresses are there at once, instead of a second later (RFC 4862 section 5.4).
      'ipv6/conf/default/accept_dad': '0',
      'ipv4/ip_forward': plan.routers.includes(role) ? '1' : '0',
      'ipv6/conf/all/forwarding': plan.routers.includes(role) ? '1' : '0',
      // A wire has no addresses of its own and says nothing.
      ...(role.endsWith('-wire') ? { 'ipv6/conf/default/disable_ipv6': '1' } : {}),
      ...(role === 'client' ? { 'ipv4/ip_local_port_range': '1024 65535' } : {}),
    });
  }
  ipBatch(null, plan.links);
  for (const role of plan.roles) ipBatch(lab.namespace(role), plan.inside[role] ?? []);
  setPath(lab);
}

/** Files under /proc/sys/net are those of the namespace that opens them. */
export function setKernelKnobs(lab: Lab, role: Role, knobs: Record<string, string>): void {
  const script = 'while read -r path value; do echo "$value" > "/proc/sys/net/$path" || exit 1; done';
  const lines = Object.entries(knobs).map(([path, value]) => `${path} ${value}\n`);
  lab.exec(role, ['sh', '-c', script], { input: lines.join('') });
}

/** A lab that is up already, or null. Further server addresses are read from the namespace. */
export function labFind(prefix = defaultPrefix): Lab | null {
  const listed = labList().find((each) => each.prefix === prefix);
  if (!listed) return null;
  const shown = ip(['-n', `${prefix}-server`, '-j', '-4', 'addr', 'show', 'dev', 'eth0']);
  const [eth0] = JSON.parse(shown) as { addr_info: { local: string }[] }[];
  const count = (eth0?.addr_info.length ?? 1) - 1;
  const path = listed.path ?? null;
  return new Lab(prefix, listed.topology, addressesWith(Math.max(0, count), path), path);
}

export interface ListedLab {
  prefix: string;
  topology: Topology;
  namespaces: string[];
  /** Only labs with shaped links or routers have one. */
  path?: PathConditions;
  /** What the shaped links have done so far. */
  counts?: Partial<Record<Side, WireCounts>>;
  /** Shaped links whose shaper is gone: nothing passes there. */
  dead?: Side[];
}

/** The labs that are up, also those of other processes. */
export function labList(): ListedLab[] {
  const all = new Set(namespaces());
  const labs: ListedLab[] = [];
  for (const name of [...all].sort()) {
    if (!name.endsWith('-middle')) continue;
    const prefix = name.slice(0, -'-middle'.length);
    const mine = roles.map((role) => `${prefix}-${role}`).filter((each) => all.has(each));
    if (!all.has(`${prefix}-client`) || !all.has(`${prefix}-server`)) continue;
    const lab: ListedLab = {
      prefix,
      topology: all.has(`${prefix}-bypass`) ? 'asymmetric' : 'inline',
      namespaces: mine,
    };
    const path = readPath(prefix, all);
    if (path) {
      lab.path = path;
      lab.dead = deadWires(prefix, path);
      lab.counts = {};
      for (const side of sides) {
        const counts = path[side] && readCounts(prefix, side);
        if (counts) lab.counts[side] = counts;
      }
    }
    labs.push(lab);
  }
  return labs;
}

/** Removes a lab, whole or half made, and ends every process that lives in it. Returns the namespaces it removed. */
export function labDown(prefix?: string): string[] {
  const start = checkedPrefix(prefix);
  const all = new Set(namespaces());
  const mine = roles.map((role) => `${start}-${role}`).filter((name) => all.has(name));
  if (mine.length === 0) return [];
  endProcesses(mine);
  // The links go with their namespaces: a pair of veths dies with either end.
  ipBatch(
    null,
    mine.map((name) => `netns del ${name}`),
  );
  return mine;
}

/** A namespace lives as long as a process in it, whatever `ip netns del` says. */
function endProcesses(names: string[]): void {
  const living = () => names.flatMap(processesIn).filter((pid) => pid !== process.pid);
  signal(living(), 'SIGTERM');
  for (let waited = 0; waited < 1000 && living().length > 0; waited += 20) sleep(20);
  for (let tries = 0; tries < 50 && living().length > 0; tries++) {
    signal(living(), 'SIGKILL');
    sleep(20);
  }
}

function signal(pids: number[], name: 'SIGTERM' | 'SIGKILL'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It ended meanwhile.
    }
  }
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** The prefix becomes a file name under /run/netns, and `labDown` ends the processes of what it names. */
function checkedPrefix(prefix = defaultPrefix): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(prefix)) return prefix;
  throw new LabError('USAGE', `a lab cannot be named ${JSON.stringify(prefix)}`, 'letters, digits, - _ .');
}

/** For messages: `ip` and root are there. */
export function labPossible(): boolean {
  try {
    execFileSync('ip', ['-V'], { stdio: 'ignore' });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}
