/** Makes the shaped links and the routers of a lab what they are to be, and reads from a lab that is up what they are. */
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
import { ip, ipBatch } from './ip.js';
import type { Lab } from './lab.js';
import { startShaper } from './shaper-process.js';
import { type WireEnd, wireInterfaces } from './topology.js';

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
  const interfaces = wireInterfaces(side, lab.roles);
  for (const { role, device } of interfaces) lab.exec(role, ['ethtool', '-K', device, ...offloads]);
  const [before, , , behind] = interfaces as [WireEnd, WireEnd, WireEnd, WireEnd];
  introduce(lab, before, behind);
  introduce(lab, behind, before);
  const namespace = lab.namespace(`${side}-wire`);
  remember(namespace, 'toclient', { mtu: link.mtu, ...short(link.toClient) });
  remember(namespace, 'toserver', { mtu: link.mtu, ...short(link.toServer) });
  startShaper(namespace, side, link);
}

/**
 * Tells one end of a link who is at the other. An end that has to ask keeps packets meanwhile, and those that it sends as the
 * answer comes can overtake them.
 */
function introduce(lab: Lab, end: WireEnd, other: WireEnd): void {
  const shown = ip(['-n', lab.namespace(other.role), '-j', 'addr', 'show', 'dev', other.device]);
  const [link] = JSON.parse(shown) as { address: string; addr_info: { local: string }[] }[];
  const lines = (link?.addr_info ?? []).map(
    ({ local }) => `neigh replace ${local} lladdr ${link?.address} dev ${end.device} nud permanent`,
  );
  ipBatch(lab.namespace(end.role), lines);
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
