/** What the engine sets up in the system beside its programs: sysctls, rules and routes. All by iproute2 and /proc. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { TimeWaitReaper } from '../kernel/sock_diag.js';
import { parseAddress } from '../wire/address.js';
import { EngineError } from './errors.js';

/** The packets of taken flows carry this mark, which routes them to this machine. */
export const MARK = 0x2d500000;
export const MARK_MASK = 0xfff00000;
const TABLE = '3557';
const PREFERENCE = '3557';
const STATE_DIR = '/run/desplice';
const families = ['-4', '-6'] as const;

export interface Link {
  ifname: string;
  ifindex: number;
  link_type: string;
}

export function ip(...args: string[]): string {
  try {
    return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException & { stderr?: string };
    if (error.code === 'ENOENT') {
      throw new EngineError('NO_IPROUTE2', 'the ip command is missing', 'install the package iproute2', {
        cause,
      });
    }
    const why = error.stderr?.trim().split('\n')[0] ?? String(error);
    throw new EngineError('IP', `ip ${args.join(' ')}: ${why}`, undefined, { cause });
  }
}

export function links(): Link[] {
  return JSON.parse(ip('-j', 'link', 'show')) as Link[];
}

function readSysctl(path: string): string | null {
  try {
    return readFileSync(`/proc/sys/net/${path}`, 'utf8').trim();
  } catch {
    return null;
  }
}

function writeSysctl(path: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/net/${path}`, value);
  } catch (cause) {
    throw new EngineError('SYSCTL', `net/${path}=${value}: ${String(cause)}`, 'run as root', { cause });
  }
}

/** One file for each network namespace: what was set before us, so that a stop, or `clean` after a crash, restores it. */
function stateFile(): string {
  return `${STATE_DIR}/netns-${statSync('/proc/self/ns/net').ino}.json`;
}

/** What a middle needs to be otherwise than usual, while it is one: [sysctl, as it is, as it must be]. */
const settings = [
  // An end that looks for black holes by itself (RFC 4821) finds none behind our socket, which has to look instead.
  ['ipv4/tcp_mtu_probing', '0', '1'],
] as const;

/** What they were; a file that a crash has left knows better than the kernel. */
function savedSettings(): Record<string, string> {
  try {
    return JSON.parse(readFileSync(stateFile(), 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

export function changeSettings(): void {
  const saved = savedSettings();
  const due = settings.filter(([path, usual]) => readSysctl(path) === usual);
  if (due.length === 0) return;
  mkdirSync(STATE_DIR, { recursive: true, mode: 0o755 });
  const before = Object.fromEntries(due.map(([path, usual]) => [path, usual]));
  writeFileSync(stateFile(), JSON.stringify({ ...before, ...saved }));
  for (const [path, , wanted] of due) writeSysctl(path, wanted);
}

/** Returns the names of what was set back. Without the programs, leftover sockets are destroyed as well. */
export function restoreSettings(): string[] {
  const known = settings.map(([path]) => path as string);
  const saved = Object.entries(savedSettings()).filter(([path]) => known.includes(path));
  destroyForeignSockets();
  if (saved.length === 0) return [];
  for (const [path, value] of saved) writeSysctl(path, value);
  rmSync(stateFile());
  if (readdirSync(STATE_DIR).length === 0) rmSync(STATE_DIR, { recursive: true });
  return saved.map(([path]) => path.slice(path.indexOf('/') + 1));
}

/**
 * Destroys TCP sockets whose local address is not this machine's: early demux (tcp_v4_early_demux) would attach what a
 * killed engine has left, TIME_WAIT included, to the packets of whoever uses the same ports, and ip_forward() drops a
 * packet that carries a socket. Until then the tracker sees to it. `orphansOnly`: those of no process, since the others are
 * flows that go on. Returns how many there were.
 */
export function destroyForeignSockets(orphansOnly = false): number {
  const own = new Set<string>();
  for (const link of JSON.parse(ip('-j', 'address', 'show')) as { addr_info: { local?: string }[] }[]) {
    for (const { local } of link.addr_info) if (local) own.add(local);
  }
  const listing = execFileSync('ss', ['-H', '-n', '-t', '-e', 'state', 'all'], {
    encoding: 'utf8',
    // It complains where no cgroup file system is mounted.
    stdio: 'pipe',
  });
  const reaper = new TimeWaitReaper();
  let found = 0;
  for (const line of listing.split('\n')) {
    const [state, , , local = '', remote = ''] = line.trim().split(/\s+/);
    if (state === 'LISTEN' || !local || (orphansOnly && /\bino:[1-9]/.test(line))) continue;
    const [from, to] = [splitAddress(local), splitAddress(remote)];
    if (!from || !to || own.has(from.text) || from.text.startsWith('127.') || from.text === '::1') continue;
    const family = from.text.includes(':') ? 6 : 4;
    reaper.add(family, from.bytes, 0, from.port, to.bytes, 0, to.port);
    found++;
  }
  reaper.flush();
  reaper.close();
  return found;
}

/** `[2001:db8::1]:80` or `192.0.2.1%eth0:80`, as ss prints them. */
function splitAddress(text: string): { text: string; bytes: Uint8Array; port: number } | null {
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, colon).replace(/[[\]]/g, '').replace(/%.*$/, '');
  const bytes = parseAddress(address);
  return bytes ? { text: address, bytes, port: Number(text.slice(colon + 1)) } : null;
}

/** Marked packets are delivered here, whatever their destination. `goingOn`: they are already, and not one may be missed. */
export function addLocalDelivery(goingOn = false): void {
  if (goingOn && families.every((family) => ip(family, 'rule', 'show', 'pref', PREFERENCE) !== '')) return;
  removeLocalDelivery();
  const mark = `0x${MARK.toString(16)}/0x${MARK_MASK.toString(16)}`;
  for (const family of families) {
    ip(family, 'rule', 'add', 'pref', PREFERENCE, 'fwmark', mark, 'lookup', TABLE);
    ip(family, 'route', 'replace', 'local', 'default', 'dev', 'lo', 'table', TABLE);
  }
}

/** Returns true when there was something to remove. */
export function removeLocalDelivery(): boolean {
  let removed = false;
  for (const family of families) {
    for (const args of [
      ['rule', 'del', 'pref', PREFERENCE, 'lookup', TABLE],
      ['route', 'flush', 'table', TABLE],
    ]) {
      try {
        ip(family, ...args);
        if (args[0] === 'rule') removed = true;
      } catch {
        // There was none.
      }
    }
  }
  return removed;
}

/** Puts a TUN device to work: packets that we write into it must not be taken for spoofed ones. */
export function upTun(name: string): number {
  ip('link', 'set', 'dev', name, 'addrgenmode', 'none');
  ip('link', 'set', 'dev', name, 'mtu', '65535', 'txqueuelen', '10000', 'up');
  writeSysctl(`ipv4/conf/${name}/rp_filter`, '0');
  const link = links().find((l) => l.ifname === name);
  if (!link) throw new EngineError('TUN', `the TUN device ${name} vanished`);
  return link.ifindex;
}
