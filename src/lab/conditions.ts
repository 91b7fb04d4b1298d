/** What a path is to be like: as it is asked for, checked, and filled in. */
import { LabError } from './ip.js';

/** One direction of one link. Everything left out is 0: no delay, no loss, no limit. */
export interface DirectionOptions {
  /** One way. */
  delayMs?: number;
  /** Each packet's delay lies between `delayMs - jitterMs` and `delayMs + jitterMs`. Packets do not overtake by it. */
  jitterMs?: number;
  /** Shares of the packets, 0 to 1. */
  loss?: number;
  /** Held back until three others have passed, or 10 ms. */
  reorder?: number;
  duplicate?: number;
  /** Of Ethernet frames, as a capture shows them. */
  rateMbit?: number;
  /** How long a packet may have to wait at the bottleneck before it is dropped (100), or how many may wait there. */
  queueMs?: number;
  queuePackets?: number;
  /** The same seed, the same fate for the n-th packet of each direction (1). */
  seed?: number;
}

export interface LinkOptions extends DirectionOptions {
  /** Of both ends of the link (1500). */
  mtu?: number;
  /** What is different in one direction. */
  toServer?: DirectionOptions;
  toClient?: DirectionOptions;
}

/** A router that stands between the middle and an end. */
export interface RouterOptions {
  /** What is larger it does not forward, and says so by ICMP. One number for both directions, or one for each. */
  mtu?: number | { toServer?: number; toClient?: number };
  /** Drops the ICMP errors that it would send or forward. */
  eatIcmp?: boolean;
}

export interface PathOptions {
  client?: LinkOptions;
  server?: LinkOptions;
  routers?: { client?: RouterOptions; server?: RouterOptions };
}

export type Side = 'client' | 'server';
export const sides: readonly Side[] = ['client', 'server'];
export type Direction = 'toServer' | 'toClient';
export const directions: readonly Direction[] = ['toServer', 'toClient'];

export type OneWayConditions = Required<DirectionOptions>;

export interface LinkConditions {
  mtu: number;
  toServer: OneWayConditions;
  toClient: OneWayConditions;
}

export interface RouterConditions {
  /** 0: no limit of its own. */
  mtu: { toServer: number; toClient: number };
  eatIcmp: boolean;
}

export interface PathConditions {
  client?: LinkConditions;
  server?: LinkConditions;
  routers: { client?: RouterConditions; server?: RouterConditions };
}

interface Range {
  least: number;
  most: number;
  whole?: boolean;
  /** 0 stands for none, though less than the least. */
  orZero?: boolean;
}

const share: Range = { least: 0, most: 1 };
const ranges: Record<keyof DirectionOptions, Range> = {
  delayMs: { least: 0, most: 60_000 },
  jitterMs: { least: 0, most: 60_000 },
  loss: share,
  reorder: share,
  duplicate: share,
  rateMbit: { least: 0.001, most: 100_000, orZero: true },
  queueMs: { least: 0, most: 60_000 },
  queuePackets: { least: 0, most: 1_000_000, whole: true },
  seed: { least: 0, most: 0xffffffff, whole: true },
};
/** Linux takes IPv6 from an interface below 1280 (RFC 8200 section 5); above 9000 no network card goes. */
const linkMtu: Range = { least: 1280, most: 9000, whole: true };
const routerMtu: Range = { least: 552, most: 9000, whole: true };

export const ordinaryMtu = 1500;
export const unshaped: OneWayConditions = {
  delayMs: 0,
  jitterMs: 0,
  loss: 0,
  reorder: 0,
  duplicate: 0,
  rateMbit: 0,
  queueMs: 100,
  queuePackets: 0,
  seed: 1,
};

/** Null: no link and no router was named, the lab is as always. */
export function pathConditions(path: PathOptions | undefined): PathConditions | null {
  if (!path) return null;
  onlyKnown('path', path, [...sides, 'routers']);
  const result: PathConditions = { routers: {} };
  if (path.routers) onlyKnown('path.routers', path.routers, sides);
  for (const side of sides) {
    const link = path[side];
    const router = path.routers?.[side];
    if (link) result[side] = linkConditions(`path.${side}`, link);
    if (router) result.routers[side] = routerConditions(`path.routers.${side}`, router);
  }
  return result.client || result.server || result.routers.client || result.routers.server ? result : null;
}

function linkConditions(where: string, options: LinkOptions): LinkConditions {
  const { mtu, toServer, toClient, ...both } = options;
  const mtuNow = mtu ?? ordinaryMtu;
  inRange(`${where}.mtu`, mtuNow, linkMtu);
  return {
    mtu: mtuNow,
    toServer: oneWay(where, both, `${where}.toServer`, toServer),
    toClient: oneWay(where, both, `${where}.toClient`, toClient),
  };
}

function oneWay(
  where: string,
  both: DirectionOptions,
  whereOnly: string,
  only: DirectionOptions = {},
): OneWayConditions {
  checkDirection(where, both);
  checkDirection(whereOnly, only);
  return { ...unshaped, ...given(both), ...given(only) };
}

function checkDirection(where: string, options: DirectionOptions): void {
  onlyKnown(where, options, Object.keys(ranges));
  for (const [name, value] of Object.entries(given(options))) {
    inRange(`${where}.${name}`, value, ranges[name as keyof DirectionOptions]);
  }
}

function routerConditions(where: string, options: RouterOptions): RouterConditions {
  onlyKnown(where, options, ['mtu', 'eatIcmp']);
  const mtu =
    typeof options.mtu === 'number' ? { toServer: options.mtu, toClient: options.mtu } : options.mtu;
  if (mtu) onlyKnown(`${where}.mtu`, mtu, directions);
  for (const direction of directions) {
    const value = mtu?.[direction];
    if (value !== undefined) inRange(`${where}.mtu`, value, routerMtu);
  }
  return {
    mtu: { toServer: mtu?.toServer ?? 0, toClient: mtu?.toClient ?? 0 },
    eatIcmp: options.eatIcmp ?? false,
  };
}

function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

function onlyKnown(where: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new LabError('USAGE', `${where} has no ${name}`, `it can have ${known.join(', ')}`);
    }
  }
}

function inRange(what: string, value: unknown, { least, most, whole, orZero }: Range): void {
  const fits =
    typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value));
  if (fits || (orZero && value === 0)) return;
  const kind = whole ? 'a whole number' : 'a number';
  throw new LabError(
    'USAGE',
    `${what} is ${JSON.stringify(value)}`,
    `it must be ${kind} from ${least} to ${most}`,
  );
}
