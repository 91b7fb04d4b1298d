import type { PathOptions } from '../dist/lab/conditions.js';
import { labDown, labUp } from '../dist/lab/index.js';
import { CommandFailed, run } from './process.js';

export type Place = 'client' | 'middle' | 'server';
/** DESPLICE_TEST_PREFIX lets two checkouts measure on one machine, though hardly at the same time. */
const prefix = `${process.env.DESPLICE_TEST_PREFIX ?? 'dsp'}-bench`;

/** The lab that all subjects are measured in. */
export interface Site {
  serverAddress: string;
  /** Interfaces of the middle. */
  toClient: string;
  toServer: string;
  /** The command line that runs `argv` in a namespace; the process keeps its id. */
  inside(place: Place, argv: string[]): string[];
  sysctl(place: Place, name: string, value: number | string): Promise<void>;
  /** What a round leaves behind must not meet the next one. */
  clearTimeWaits(): Promise<void>;
  down(): void;
}

/** What lies between the ends, when it is not two plain links, and who controls congestion on it. */
export interface Conditions {
  path: PathOptions;
  congestion: 'bbr' | 'cubic' | 'reno';
}

export async function openSite(conditions?: Conditions): Promise<Site> {
  const lab = labUp('inline', { prefix, path: conditions?.path });
  const inside = (place: Place, argv: string[]): string[] => [
    'ip',
    'netns',
    'exec',
    lab.namespace(place),
    ...argv,
  ];
  const site: Site = {
    serverAddress: lab.addresses.server4,
    toClient: lab.interfaces.clientSide,
    toServer: lab.interfaces.serverSide,
    inside,
    async sysctl(place, name, value) {
      await run(inside(place, ['sysctl', '-qw', `${name}=${value}`]));
    },
    async clearTimeWaits() {
      await Promise.all(
        (['client', 'middle', 'server'] as const).map((place) =>
          run(inside(place, ['ss', '-K', '-H', '-t', '-n', 'state', 'time-wait']), { quiet: true }),
        ),
      );
      const left = (await run(inside('middle', ['ss', '-H', '-t', '-n', 'state', 'time-wait']))).trim();
      if (left !== '')
        throw new CommandFailed(`TIME_WAIT sockets could not be removed: ${left.slice(0, 200)}`);
    },
    down() {
      labDown(prefix);
    },
  };
  for (const place of ['client', 'middle', 'server'] as const) {
    await site.sysctl(place, 'net.core.somaxconn', 4096);
    await site.sysctl(place, 'net.ipv4.tcp_max_syn_backlog', 4096);
    // A subject's TIME_WAIT sockets are its own business and must not be capped by the number of CPUs.
    await site.sysctl(place, 'net.ipv4.tcp_max_tw_buckets', 262144);
  }
  await portRange(site, 'wide');
  if (conditions) await prepare(site, conditions);
  return site;
}

/** The same algorithm for every socket, and buffers that do not limit: 12.5 MB are under way on 1 Gbit/s and 100 ms. */
async function prepare(site: Site, { congestion }: Conditions): Promise<void> {
  for (const place of ['client', 'middle', 'server'] as const) {
    await site.sysctl(place, 'net.ipv4.tcp_rmem', '4096 131072 67108864');
    await site.sysctl(place, 'net.ipv4.tcp_wmem', '4096 16384 67108864');
    // What one subject has learned of the path must not help the next.
    await site.sysctl(place, 'net.ipv4.tcp_no_metrics_save', 1);
    // By route: the sysctl is refused in a namespace unless the whole machine allows the algorithm.
    const routes = JSON.parse(await run(site.inside(place, ['ip', '-j', 'route', 'show']))) as Route[];
    for (const { dst, gateway, dev } of routes) {
      const via = gateway === undefined ? [] : ['via', gateway];
      await run(
        site.inside(place, ['ip', 'route', 'replace', dst, ...via, 'dev', dev, 'congctl', congestion]),
      );
    }
  }
}

interface Route {
  dst: string;
  gateway?: string;
  dev: string;
}

/** The ports that a client takes: nearly all, or those that Linux takes when nobody changed it. */
export async function portRange(site: Site, width: 'wide' | 'default'): Promise<void> {
  const range = width === 'wide' ? '1024 65535' : '32768 60999';
  await site.sysctl('client', 'net.ipv4.ip_local_port_range', range);
}
