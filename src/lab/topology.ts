/** What a lab consists of, as lines for `ip -batch`. Addresses are those kept for documentation: RFC 5737, RFC 3849. */

export type Topology = 'inline' | 'asymmetric';
export type Role = 'client' | 'middle' | 'server' | 'bypass';

export const topologies: readonly Topology[] = ['inline', 'asymmetric'];
export const roles: readonly Role[] = ['client', 'middle', 'server', 'bypass'];

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

export function addressesWith(serverAliases: number): Addresses {
  return {
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
}

/** Names that every middle has, whatever the topology. */
export const middleInterfaces = { clientSide: 'toclient', serverSide: 'toserver' } as const;

export interface Plan {
  roles: Role[];
  /** Lines for the namespace in which `labUp` runs: both ends of a pair are born where they belong. */
  links: string[];
  inside: Partial<Record<Role, string[]>>;
  routers: Role[];
}

export function planOf(topology: Topology, namespace: (role: Role) => string, addresses: Addresses): Plan {
  const plan: Plan = {
    roles: topology === 'inline' ? ['client', 'middle', 'server'] : [...roles],
    links: [pair('client', 'eth0', 'middle', 'toclient'), pair('middle', 'toserver', 'server', 'eth0')],
    inside: {
      client: [
        ...up('lo'),
        ...up('eth0', `${addresses.client4}/24`, `${addresses.client6}/64`),
        `route add default via ${addresses.middleToClient4}`,
        `route add ::/0 via ${addresses.middleToClient6}`,
      ],
      middle: [
        ...up('lo'),
        ...up('toclient', `${addresses.middleToClient4}/24`, `${addresses.middleToClient6}/64`),
        ...up('toserver', `${addresses.middleToServer4}/24`, `${addresses.middleToServer6}/64`),
      ],
      server: [
        ...up('lo'),
        ...up('eth0', `${addresses.server4}/24`, `${addresses.server6}/64`),
        ...addresses.serverAliases.map((alias) => `addr add ${alias}/24 dev eth0`),
        `route add default via ${addresses.middleToServer4}`,
        `route add ::/0 via ${addresses.middleToServer6}`,
      ],
    },
    routers: ['middle'],
  };
  if (topology === 'asymmetric') addBypass(plan, addresses, pair);
  return plan;

  function pair(a: Role, aName: string, b: Role, bName: string): string {
    return `link add name ${aName} netns ${namespace(a)} type veth peer name ${bName} netns ${namespace(b)}`;
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
