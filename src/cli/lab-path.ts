/** The options of `lab up` that say what the path is like, and the words for what it is. */
import { InvalidArgumentError, Option } from 'commander';
import type {
  Direction,
  DirectionOptions,
  LinkOptions,
  PathConditions,
  PathOptions,
  Side,
} from '../lab/index.js';

export interface PathFlags {
  link?: Side | 'both';
  direction?: Direction | 'both';
  delay?: number;
  jitter?: number;
  loss?: number;
  reorder?: number;
  duplicate?: number;
  rate?: number;
  queue?: { queueMs: number } | { queuePackets: number };
  seed?: number;
  mtu?: number;
  router?: Side | 'both';
  routerMtu?: number;
  eatIcmp?: boolean;
}

export const pathExamples = `
Delay is one way and for each shaped link: --delay 50ms on one link makes round trips of 100 ms, on both of 200 ms.
A shaped link carries frames as a real network card sends them; links that no option names are as always.

Examples:
  desplice lab up
  desplice lab up inline --delay 50ms --loss 1%
  desplice lab up inline --delay 50ms --rate 1gbit --queue 200ms     long and fat
  desplice lab up inline --link both --delay 20ms --jitter 5ms --reorder 0.5% --seed 7
  desplice lab up inline --loss 2% --direction toServer               acknowledgements are safe
  desplice lab up inline --router server --router-mtu 1400            a hop that answers "fragmentation needed"
  desplice lab up inline --router server --router-mtu 1400 --eat-icmp one that says nothing`;

export function pathOptions(): Option[] {
  return [
    new Option('--delay <time>', 'one way, on each shaped link: 50ms, 0.2s, 300us').argParser(milliseconds),
    new Option('--jitter <time>', 'so much more or less delay, at random').argParser(milliseconds),
    new Option('--loss <share>', 'of the packets, each way: 1%, 0.01').argParser(share),
    new Option('--reorder <share>', 'held back until three others have passed').argParser(share),
    new Option('--duplicate <share>', 'arrive twice').argParser(share),
    new Option('--rate <rate>', 'each way: 100mbit, 1gbit, 500kbit').argParser(megabits),
    new Option('--queue <bound>', 'before the rate: 100ms, 50packets (default: 100ms)').argParser(queue),
    new Option('--seed <n>', 'the same seed, the same fate for the n-th packet (default: 1)').argParser(
      whole,
    ),
    new Option('--mtu <bytes>', 'of the shaped links').argParser(whole),
    new Option(
      '--link <which>',
      'which link is shaped: client is client - middle, server is middle - server (default: server)',
    ).choices(['client', 'server', 'both']),
    new Option('--direction <which>', 'which way is shaped (default: both)').choices([
      'toServer',
      'toClient',
      'both',
    ]),
    new Option('--router <where>', 'a router between the middle and the client, the server, or both').choices(
      ['client', 'server', 'both'],
    ),
    new Option('--router-mtu <bytes>', 'it refuses larger packets by ICMP').argParser(whole),
    new Option('--eat-icmp', 'it drops the ICMP errors that it would send or forward'),
  ];
}

/** Undefined: none of these options was given. */
export function pathOf(flags: PathFlags): PathOptions | undefined {
  const path: PathOptions = {};
  const conditions: DirectionOptions = {
    delayMs: flags.delay,
    jitterMs: flags.jitter,
    loss: flags.loss,
    reorder: flags.reorder,
    duplicate: flags.duplicate,
    rateMbit: flags.rate,
    ...flags.queue,
    seed: flags.seed,
  };
  const one = flags.direction === 'toServer' || flags.direction === 'toClient' ? flags.direction : null;
  const link: LinkOptions = { ...(one ? { [one]: conditions } : conditions), mtu: flags.mtu };
  const said = [...Object.values(conditions), flags.mtu, flags.link, flags.direction];
  if (said.some((value) => value !== undefined)) {
    for (const side of sidesOf(flags.link ?? 'server')) path[side] = link;
  }
  if ((flags.routerMtu !== undefined || flags.eatIcmp) && !flags.router) {
    throw Object.assign(new Error('--router-mtu and --eat-icmp are about a router, and there is none'), {
      code: 'USAGE',
      hint: 'say where it stands: --router client, server or both',
    });
  }
  if (flags.router) {
    path.routers = {};
    for (const side of sidesOf(flags.router))
      path.routers[side] = { mtu: flags.routerMtu, eatIcmp: flags.eatIcmp };
  }
  return Object.keys(path).length > 0 ? path : undefined;
}

function sidesOf(which: Side | 'both'): Side[] {
  return which === 'both' ? ['client', 'server'] : [which];
}

/** One line for each shaped link and each router. */
export function conditionLines(path: PathConditions | null | undefined, dead: Side[] = []): string[] {
  if (!path) return [];
  const lines: string[] = [];
  for (const side of ['client', 'server'] as const) {
    const link = path[side];
    if (link) {
      const toServer = words(link.toServer);
      const toClient = words(link.toClient);
      const how = toServer === toClient ? toServer : `to the server ${toServer}; to the client ${toClient}`;
      const state = dead.includes(side) ? '  ITS SHAPER IS GONE: nothing passes' : '';
      lines.push(`${side} link: ${how}${link.mtu === 1500 ? '' : `, MTU ${link.mtu}`}${state}`);
    }
    const router = path.routers[side];
    if (router) {
      const { toServer, toClient } = router.mtu;
      const limits = [
        ...(toServer > 0 ? [`${toServer} bytes to the server`] : []),
        ...(toClient > 0 ? [`${toClient} bytes to the client`] : []),
      ];
      const limit = limits.length > 0 ? `forwards at most ${limits.join(', ')}` : 'forwards';
      lines.push(`${side} router: ${limit}${router.eatIcmp ? ', eats ICMP errors' : ''}`);
    }
  }
  return lines;
}

function words(conditions: Required<DirectionOptions>): string {
  const { delayMs, jitterMs, loss, reorder, duplicate, rateMbit, queueMs, queuePackets, seed } = conditions;
  const said: string[] = [];
  if (delayMs > 0 || jitterMs > 0) said.push(`delay ${delayMs} ms${jitterMs > 0 ? ` ± ${jitterMs} ms` : ''}`);
  if (loss > 0) said.push(`loss ${percent(loss)}`);
  if (reorder > 0) said.push(`reorder ${percent(reorder)}`);
  if (duplicate > 0) said.push(`duplicate ${percent(duplicate)}`);
  if (rateMbit > 0) {
    said.push(`${rateMbit} Mbit/s, queue ${queuePackets > 0 ? `${queuePackets} packets` : `${queueMs} ms`}`);
  }
  return said.length === 0 ? 'a plain wire' : [...said, `seed ${seed}`].join(', ');
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(6))} %`;
}

function measure(text: string, units: Record<string, number>, example: string): number {
  const match = /^(\d+(?:\.\d+)?)([a-zA-Z%]*)$/.exec(text.trim());
  const unit = match ? units[(match[2] as string).toLowerCase()] : undefined;
  if (!match || unit === undefined) throw new InvalidArgumentError(`Expected ${example}.`);
  // 300 us are 0.3 ms, not 0.30000000000000004.
  return Number((Number(match[1]) * unit).toPrecision(12));
}

function milliseconds(text: string): number {
  return measure(text, { us: 0.001, ms: 1, s: 1000 }, 'a time with its unit: 50ms, 0.2s, 300us');
}

function share(text: string): number {
  const value = measure(text, { '%': 0.01, '': 1 }, 'a share: 1%, 0.01');
  if (value > 1) throw new InvalidArgumentError(`A share is at most 100%; did you mean ${text.trim()}%?`);
  return value;
}

function megabits(text: string): number {
  const value = measure(
    text,
    { kbit: 0.001, mbit: 1, gbit: 1000 },
    'a rate with its unit: 100mbit, 1gbit, 500kbit',
  );
  if (value === 0) throw new InvalidArgumentError('A rate is more than 0; without --rate there is no limit.');
  return value;
}

function queue(text: string): { queueMs: number } | { queuePackets: number } {
  const match = /^(\d+) ?packets?$/.exec(text.trim());
  if (match && Number(match[1]) > 0) return { queuePackets: Number(match[1]) };
  return {
    queueMs: measure(text, { us: 0.001, ms: 1, s: 1000 }, 'a time or a number of packets: 100ms, 50packets'),
  };
}

function whole(text: string): number {
  if (!/^\d+$/.test(text.trim())) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
