/** Makes the shaped links and the routers of a lab what they are to be, and reads from a lab that is up what they are. */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type LinkConditions,
  type OneWayConditions,
  ordinaryMtu,
  type PathConditions,
  type RouterConditions,
  type Side,
  sides,
  unshaped,
} from './conditions.js';
import { ip, LabError, processesIn } from './ip.js';
import type { Lab } from './lab.js';
import { wireInterfaces } from './topology.js';

/** Built, also when this file runs from its source: the shaper is a process of its own. */
const program = fileURLToPath(new URL('../../dist/lab/shaper.js', import.meta.url));
const patienceMs = 10_000;

export function setPath(lab: Lab): void {
  const { path } = lab;
  if (!path) return;
  for (const side of sides) {
    const router = path.routers[side];
    const link = path[side];
    if (router) setRouter(lab, side, router);
    if (link) setWire(lab, side, link);
  }
}

function setRouter(lab: Lab, side: Side, router: RouterConditions): void {
  if (router.eatIcmp) lab.exec(`${side}-router`, ['nft', '-f', '-'], { input: eatIcmp });
  remember(lab.namespace(`${side}-router`), 'toclient', router);
}

const eatIcmp = `
table inet eat_icmp {
  chain errors {
    icmp type { destination-unreachable, source-quench, time-exceeded, parameter-problem } counter drop
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } counter drop
  }
  chain output { type filter hook output priority 0; jump errors; }
  chain forward { type filter hook forward priority 0; jump errors; }
}
`;

/** Without these, frames are up to 64 kB long and have no checksum until a real network card would send them. */
const offloads = 'tx off tso off gso off gro off tx-udp-segmentation off tx-gso-list off'.split(' ');

function setWire(lab: Lab, side: Side, link: LinkConditions): void {
  for (const { role, device } of wireInterfaces(side, lab.roles)) {
    lab.exec(role, ['ethtool', '-K', device, ...offloads]);
  }
  const namespace = lab.namespace(`${side}-wire`);
  remember(namespace, 'toclient', { mtu: link.mtu, ...short(link.toClient) });
  remember(namespace, 'toserver', { mtu: link.mtu, ...short(link.toServer) });
  startShaper(namespace, link);
}

/** Returns when it moves frames. The process outlives this one, until `labDown`. */
function startShaper(namespace: string, link: LinkConditions): void {
  const folder = mkdtempSync(join(tmpdir(), 'desplice-shaper-'));
  const log = join(folder, 'log');
  const fd = openSync(log, 'w');
  try {
    const argv = ['netns', 'exec', namespace, process.execPath, program, JSON.stringify(link)];
    const child = spawn('ip', argv, { cwd: '/', detached: true, stdio: ['ignore', fd, fd] });
    child.on('error', () => {}); // Its log says nothing then, and we say so below.
    child.unref();
    for (let waited = 0; !readFileSync(log, 'utf8').startsWith('ready\n'); waited += 5) {
      if (waited > patienceMs || child.pid === undefined || hasEnded(child.pid)) {
        const why = readFileSync(log, 'utf8').trim() || 'it said nothing';
        throw new LabError('LAB', `starting the shaper in ${namespace}: ${why}`, 'is it built? make build');
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Gone, or a zombie until this process enters its event loop again. */
function hasEnded(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\)/, ''));
  } catch {
    return true;
  }
}

/**
 * What was asked for is written where it dies with the lab, crash or not: on an interface, as its alias. 255 bytes fit
 * (IFALIASZ).
 */
function remember(namespace: string, device: string, what: object): void {
  ip(['-n', namespace, 'link', 'set', device, 'alias', JSON.stringify(what)]);
}

function short(conditions: OneWayConditions): Partial<OneWayConditions> {
  const different = Object.entries(conditions).filter(
    ([name, value]) => value !== unshaped[name as keyof OneWayConditions],
  );
  return Object.fromEntries(different);
}

/** The path of a lab that is up, of which these namespaces are there. */
export function readPath(prefix: string, names: ReadonlySet<string>): PathConditions | null {
  const path: PathConditions = { routers: {} };
  let any = false;
  for (const side of sides) {
    const wire = `${prefix}-${side}-wire`;
    const router = `${prefix}-${side}-router`;
    if (names.has(wire)) {
      const toServer = recall<{ mtu: number }>(wire, 'toserver');
      const { mtu = ordinaryMtu, ...toClient } = recall<{ mtu: number }>(wire, 'toclient');
      const { mtu: _, ...server } = toServer;
      path[side] = { mtu, toServer: { ...unshaped, ...server }, toClient: { ...unshaped, ...toClient } };
      any = true;
    }
    if (names.has(router)) {
      const none: RouterConditions = { mtu: { toServer: 0, toClient: 0 }, eatIcmp: false };
      path.routers[side] = { ...none, ...recall<RouterConditions>(router, 'toclient') };
      any = true;
    }
  }
  return any ? path : null;
}

/** A lab that is half made or half gone has no interface, or one without an alias. */
function recall<T>(namespace: string, device: string): Partial<T> {
  try {
    const [link] = JSON.parse(ip(['-n', namespace, '-j', 'link', 'show', 'dev', device])) as {
      ifalias?: string;
    }[];
    return JSON.parse(link?.ifalias ?? '{}') as Partial<T>;
  } catch {
    return {};
  }
}

/** The sides whose wire has nobody in it any more: nothing passes there. */
export function deadWires(prefix: string, path: PathConditions | null): Side[] {
  return sides.filter((side) => path?.[side] && processesIn(`${prefix}-${side}-wire`).length === 0);
}
