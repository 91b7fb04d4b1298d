/** What a lab consists of, as lines for `ip -batch`. Addresses are those kept for documentation: RFC 5737, RFC 3849. */
import { ordinaryMtu, type PathConditions, type Side, sides } from './conditions.js';

export type Topology = 'inline' | 'asymmetric';
export type WireRole = `${Side}-wire`;
export type RouterRole = `${Side}-router`;
export type Role = Side | 'middle' | 'bypass' | WireRole | RouterRole;

export const topologies: readonly Topology[] = ['inline', 'asymmetric'];
export const roles: readonly Role[] = [
  'client',
  'client-router',
  'client-wire',
  'middle',
  'server-wire',
  'server-router',
  'server',
  'bypass',
];

/** Those that a lab has, in the order of `roles`. */
export function rolesOf(topology: Topology, path: PathConditions | null): Role[] {
  const missing = new Set<Role>();
  if (topology !== 'asymmetric') missing.add('bypass');
  for (const side of sides) {
    if (!path?.[side]) missing.add(`${side}-wire`);
    if (!path?.routers[side]) missing.add(`${side}-router`);
  }
  return roles.filter((role) => !missing.has(role));
}

export interface Addresses {
  client4: string;
  client6: string;
  server4: string;
  server6: string;
  /** The middle, as the client and as the server see it. */
  middleToClient4: string;
  middleToClient6: string;
  middleToServer4: string;
  middleToServer6: string;
  /** Further IPv4 addresses of the server. */
  serverAliases: string[];
}

export const maxServerAliases = 200;
const firstAlias = 32;

export function addressesWith(serverAliases: number, path: PathConditions | null = null): Addresses {
  const addresses = {
    client4: '192.0.2.2',
    client6: '2001:db8:1::2',
    server4: '198.51.100.2',
    server6: '2001:db8:2::2',
    middleToClient4: '192.0.2.1',
    middleToClient6: '2001:db8:1::1',
    middleToServer4: '198.51.100.1',
    middleToServer6: '2001:db8:2::1',
    serverAliases: Array.from({ length: serverAliases }, (_, i) => `198.51.100.${firstAlias + i}`),
  };
  // A router takes the middle's place in the network of its end.
  if (path?.routers.client) {
    addresses.middleToClient4 = transit.client.middle4;
    addresses.middleToClient6 = transit.client.middle6;
  }
  if (path?.routers.server) {
    addresses.middleToServer4 = transit.server.middle4;
    addresses.middleToServer6 = transit.server.middle6;
  }
  return addresses;
}

/** The networks between the middle and each router. */
const transit = {
  client: {
    middle4: '203.0.113.1',
    router4: '203.0.113.2',
    middle6: '2001:db8:5::1',
    router6: '2001:db8:5::2',
  },
  server: {
    middle4: '203.0.113.5',
    router4: '203.0.113.6',
    middle6: '2001:db8:6::1',
    router6: '2001:db8:6::2',
  },
} as const;

/** The network of each end, and the address in it to which the end sends everything. */
const ends = {
  client: { net4: '192.0.2.0/24', net6: '2001:db8:1::/64', gateway4: '192.0.2.1', gateway6: '2001:db8:1::1' },
  server: {
    net4: '198.51.100.0/24',
    net6: '2001:db8:2::/64',
    gateway4: '198.51.100.1',
    gateway6: '2001:db8:2::1',
  },
} as const;

/** Names that every middle has, whatever the topology. */
export const middleInterfaces = { clientSide: 'toclient', serverSide: 'toserver' } as const;

export interface Plan {
  roles: Role[];
  /** Lines for the namespace in which `labUp` runs: both ends of a pair are born where they belong. */
  links: string[];
  inside: Partial<Record<Role, string[]>>;
  routers: Role[];
}

export function planOf(
  topology: Topology,
  namespace: (role: Role) => string,
  addresses: Addresses,
  path: PathConditions | null = null,
): Plan {
  const present = rolesOf(topology, path);
  const line = present.filter((role) => role !== 'bypass');
  const plan: Plan = {
    roles: present,
    links: line.slice(1).map((role, i) => {
      const before = line[i] as Role;
      return pair(before, facing(before, 'server'), role, facing(role, 'client'));
    }),
    inside: {
      client: [
        ...up('lo'),
        ...up('eth0', `${addresses.client4}/24`, `${addresses.client6}/64`),
        `route add default via ${ends.client.gateway4}`,
        `route add ::/0 via ${ends.client.gateway6}`,
      ],
      middle: [
        ...up('lo'),
        ...up(
          'toclient',
          middle(addresses.middleToClient4, path, 'client'),
          `${addresses.middleToClient6}/64`,
        ),
        ...up(
          'toserver',
          middle(addresses.middleToServer4, path, 'server'),
          `${addresses.middleToServer6}/64`,
        ),
      ],
      server: [
        ...up('lo'),
        ...up('eth0', `${addresses.server4}/24`, `${addresses.server6}/64`),
        ...addresses.serverAliases.map((alias) => `addr add ${alias}/24 dev eth0`),
        `route add default via ${ends.server.gateway4}`,
        `route add ::/0 via ${ends.server.gateway6}`,
      ],
    },
    routers: ['middle'],
  };
  if (topology === 'asymmetric') addBypass(plan, addresses, pair);
  for (const side of sides) {
    if (path?.routers[side]) addRouter(plan, path, side);
    if (path?.[side]) addWire(plan, path[side].mtu, side, line);
  }
  return plan;

  function pair(a: Role, aName: string, b: Role, bName: string): string {
    return `link add name ${aName} netns ${namespace(a)} type veth peer name ${bName} netns ${namespace(b)}`;
  }
}

/** The interface of a namespace in the direction of an end. */
export function facing(role: Role, side: Side): string {
  return role === 'client' || role === 'server' ? 'eth0' : `to${side}`;
}

function middle(address: string, path: PathConditions | null, side: Side): string {
  return `${address}/${path?.routers[side] ? 30 : 24}`;
}

/** A router between the middle and an end. Its limits are those of its routes: the neighbours' interfaces don't know them. */
function addRouter(plan: Plan, path: PathConditions, side: Side): void {
  const { net4, net6, gateway4, gateway6 } = ends[side];
  const { middle4, middle6, router4, router6 } = transit[side];
  const inward: Side = side === 'client' ? 'server' : 'client';
  const { mtu } = path.routers[side] ?? { mtu: { toServer: 0, toClient: 0 } };
  const [toEnd, toMiddle] = side === 'client' ? [mtu.toClient, mtu.toServer] : [mtu.toServer, mtu.toClient];
  plan.inside[`${side}-router`] = [
    ...up('lo'),
    `link set to${side} up`,
    `link set to${inward} up`,
    // `noprefixroute`: the route to the end's network is made by hand, with the limit.
    `addr add ${gateway4}/24 dev to${side} noprefixroute`,
    `addr add ${gateway6}/64 dev to${side} nodad noprefixroute`,
    `addr add ${router4}/30 dev to${inward}`,
    `addr add ${router6}/64 dev to${inward} nodad`,
    `route add ${net4} dev to${side}${limit(toEnd)}`,
    `route add ${net6} dev to${side}${limit(toEnd, 6)}`,
    `route add default via ${middle4}${limit(toMiddle)}`,
    `route add ::/0 via ${middle6}${limit(toMiddle, 6)}`,
  ];
  plan.inside.middle?.push(`route add ${net4} via ${router4}`, `route add ${net6} via ${router6}`);
  plan.routers.push(`${side}-router`);
}

/** `lock`: IPv6 heeds a route's limit for what it forwards only then (ip6_dst_mtu_maybe_forward). */
function limit(mtu: number, family: 4 | 6 = 4): string {
  if (mtu === 0) return '';
  return ` mtu lock ${family === 6 ? Math.max(mtu, 1280) : mtu}`;
}

export interface WireEnd {
  role: Role;
  device: string;
}

/** The interfaces of a wire, and those of its two neighbours that face it. */
export function wireInterfaces(side: Side, line: readonly Role[]): WireEnd[] {
  const wire: WireRole = `${side}-wire`;
  const at = line.indexOf(wire);
  const before = line[at - 1] as Role;
  const behind = line[at + 1] as Role;
  return [
    { role: before, device: facing(before, 'server') },
    { role: wire, device: 'toclient' },
    { role: wire, device: 'toserver' },
    { role: behind, device: facing(behind, 'client') },
  ];
}

function addWire(plan: Plan, mtu: number, side: Side, line: readonly Role[]): void {
  const wire: WireRole = `${side}-wire`;
  // The wire itself speaks to nobody.
  plan.inside[wire] = ['toclient', 'toserver'].map((device) => `link set ${device} arp off up`);
  if (mtu === ordinaryMtu) return;
  for (const { role, device } of wireInterfaces(side, line)) {
    plan.inside[role]?.unshift(`link set ${device} mtu ${mtu}`);
  }
}

/** A second way from the server to the client, which only the server's answers take. */
function addBypass(
  plan: Plan,
  addresses: Addresses,
  pair: (a: Role, aName: string, b: Role, bName: string) => string,
): void {
  plan.links.push(pair('client', 'eth1', 'bypass', 'toclient'), pair('bypass', 'toserver', 'server', 'eth1'));
  plan.inside.bypass = [
    ...up('lo'),
    ...up('toclient', '203.0.113.1/25', '2001:db8:3::1/64'),
    ...up('toserver', '203.0.113.129/25', '2001:db8:4::1/64'),
    `route add ${addresses.client4}/32 via 203.0.113.2`,
    `route add ${addresses.client6}/128 via 2001:db8:3::2`,
    `route add 198.51.100.0/24 via 203.0.113.130`,
    `route add 2001:db8:2::/64 via 2001:db8:4::2`,
  ];
  plan.inside.client?.push(...up('eth1', '203.0.113.2/25', '2001:db8:3::2/64'));
  plan.inside.server?.push(
    ...up('eth1', '203.0.113.130/25', '2001:db8:4::2/64'),
    `route add 192.0.2.0/24 via 203.0.113.129`,
    `route add 2001:db8:1::/64 via 2001:db8:4::1`,
  );
  plan.routers.push('bypass');
}

/** `nodad`: a tentative address would refuse to be bound for the first second (RFC 4862 section 5.4). */
function up(device: string, v4?: string, v6?: string): string[] {
  const lines = [`link set ${device} up`];
  if (v4) lines.push(`addr add ${v4} dev ${device}`);
  if (v6) lines.push(`addr add ${v6} dev ${device} nodad`);
  return lines;
}
