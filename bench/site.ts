import { labDown, labUp } from '../dist/lab/index.js';
import { CommandFailed, run } from './process.js';

export type Place = 'client' | 'middle' | 'server';
const prefix = 'dsp-bench';

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

export async function openSite(): Promise<Site> {
  const lab = labUp('inline', { prefix });
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
  return site;
}

/** The ports that a client takes: nearly all, or those that Linux takes when nobody changed it. */
export async function portRange(site: Site, width: 'wide' | 'default'): Promise<void> {
  const range = width === 'wide' ? '1024 65535' : '32768 60999';
  await site.sysctl('client', 'net.ipv4.ip_local_port_range', range);
}
