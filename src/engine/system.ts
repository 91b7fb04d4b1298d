/** What the engine sets up in the system beside its programs: sysctls, rules and routes. All by iproute2 and /proc. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
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

export function readSysctl(path: string): string | null {
  try {
    return readFileSync(`/proc/sys/net/${path}`, 'utf8').trim();
  } catch {
    return null;
  }
}

export function writeSysctl(path: string, value: string): void {
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

/**
 * Early demux must be off where one forwards: `tcp_v4_early_demux()` attaches any socket with a packet's addresses to
 * it, and `ip_forward()` drops a packet that carries a socket.
 */
export function disableEarlyDemux(): void {
  const before = readSysctl('ipv4/tcp_early_demux');
  if (before === null || before === '0') return;
  mkdirSync(STATE_DIR, { recursive: true, mode: 0o755 });
  writeFileSync(stateFile(), JSON.stringify({ tcp_early_demux: before }));
  writeSysctl('ipv4/tcp_early_demux', '0');
}

/** Returns true when there was something to restore. */
export function restoreEarlyDemux(): boolean {
  try {
    const saved = JSON.parse(readFileSync(stateFile(), 'utf8')) as { tcp_early_demux: string };
    writeSysctl('ipv4/tcp_early_demux', saved.tcp_early_demux);
    rmSync(stateFile());
    if (readdirSync(STATE_DIR).length === 0) rmSync(STATE_DIR, { recursive: true });
    return true;
  } catch {
    return false;
  }
}

/** Marked packets are delivered here, whatever their destination. */
export function addLocalDelivery(): void {
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
