import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { callControl } from '../control/client.js';
import { formatBytes, formatFlows, formatStats, table } from '../control/format.js';
import type { FlowInfo, Stats } from '../flow/stats.js';
import { endpoint, largeBytes, parseAccessLog, prepareNginx, type Served } from './nginx.js';
import {
  curlFormat,
  type Fetched,
  parseFetched,
  parseHandshake,
  parsePercent,
  parseSockets,
  type SeenHandshake,
} from './observe.js';
import { finish, type Running, start, startService, waitFor } from './place.js';
import type { Screen } from './screen.js';

/** Where the story takes place: what enters each namespace, and names in it. */
export interface Stage {
  client: string[];
  middle: string[];
  server: string[];
  /** The server's addresses; each small request goes to the next one. */
  serverAddresses: [string, ...string[]];
  middleInterfaces: string[];
  /** For nginx, its log, and the control socket. */
  folder: string;
  control: string;
  /** The desplice command, as a list of arguments. */
  desplice: string[];
  /** All that was started. Whoever ends the story early stops these, last first. */
  running: Running[];
}

const smallRequests = 4;
const settleMilliseconds = 300;

export async function startServer(stage: Stage): Promise<void> {
  const nginx = startService(stage.server, prepareNginx(stage.folder), join(stage.folder, 'nginx.log'));
  stage.running.push(nginx);
  // Before the engine runs: these requests, which also let the neighbours find each other, are between the ends alone.
  for (const address of stage.serverAddresses) await reach(stage, nginx, address);
}

async function reach(stage: Stage, nginx: Running, address: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await run(stage, stage.client, ['curl', '-sS', '-o', '/dev/null', '-m', '2', url(address, 'hello')]);
      return;
    } catch (error) {
      if (attempt === 40 || nginx.child.exitCode !== null) {
        throw new Error(`reaching nginx through the lab: ${(error as Error).message}\n${nginx.output()}`);
      }
      await sleep(50);
    }
  }
}

export async function startEngine(stage: Stage): Promise<void> {
  const interfaces = stage.middleInterfaces.flatMap((name) => ['-i', name]);
  const argv = [...stage.desplice, 'run', ...interfaces, '-p', '80', '--control', stage.control];
  const engine = startService(stage.middle, argv, join(stage.folder, 'engine.log'));
  stage.running.push(engine);
  await waitFor(engine, 'starting the engine', (text) => /^ready$/m.test(text));
}

export interface Observed {
  fetched: Fetched[];
  handshakes: { client: SeenHandshake; server: SeenHandshake };
}

export async function smallOnes(stage: Stage): Promise<Observed> {
  const dump = ['tcpdump', '-i', 'any', '-nn', '-S', '-l', 'tcp port 80 and tcp[tcpflags] & tcp-syn != 0'];
  const captures = [start(stage.client, dump), start(stage.server, dump)] as const;
  stage.running.push(...captures);
  const fetched: Fetched[] = [];
  try {
    for (const capture of captures)
      await waitFor(capture, 'starting tcpdump', (text) => text.includes('listening on'));
    for (let count = 0; count < smallRequests; count += 1) {
      const { serverAddresses } = stage;
      const address = serverAddresses[count % serverAddresses.length] ?? serverAddresses[0];
      fetched.push(await fetchOne(stage, url(address, 'hello')));
    }
    await sleep(settleMilliseconds);
  } finally {
    await Promise.all(captures.map((capture) => capture.stop('SIGINT')));
  }
  const [client, server] = captures.map((capture) => parseHandshake(capture.output()));
  return { fetched, handshakes: { client: client as SeenHandshake, server: server as SeenHandshake } };
}

export interface Middle {
  at: Date;
  sockets: string;
  flows: FlowInfo[];
}

/** The large download; halfway the middle is asked what it holds. */
export async function largeOne(stage: Stage, screen: Screen): Promise<{ fetched: Fetched; middle: Middle }> {
  let middle: Promise<Middle> | undefined;
  const fetched = fetchOne(stage, url(stage.serverAddresses[0], 'large'), (percent) => {
    screen.progress(`${formatBytes(largeBytes)}:`, percent);
    if (percent >= 40) middle ??= lookIntoMiddle(stage);
  });
  try {
    const result = await fetched;
    return { fetched: result, middle: (await middle) ?? { at: new Date(), sockets: '', flows: [] } };
  } finally {
    screen.progressDone();
    middle?.catch(() => {});
  }
}

async function lookIntoMiddle(stage: Stage): Promise<Middle> {
  const [sockets, flows] = await Promise.all([
    run(stage, stage.middle, ['ss', '-tnie', 'sport = :80 or dport = :80']),
    callControl<FlowInfo[]>(stage.control, 'GET', '/v1/flows'),
  ]);
  return { at: new Date(), sockets, flows };
}

async function fetchOne(
  stage: Stage,
  target: string,
  onPercent?: (percent: number) => void,
): Promise<Fetched> {
  const argv = ['curl', onPercent ? '-#' : '-sS', '-m', '40', '-o', '/dev/null', '-w', curlFormat, target];
  const output = await run(stage, stage.client, argv, (text) => {
    const percent = parsePercent(text);
    if (percent !== null) onPercent?.(percent);
  });
  return parseFetched(
    output
      .trimEnd()
      .split(/[\r\n]/)
      .at(-1) ?? '',
    endpoint,
  );
}

/** Side by side, and whether all of it is as it should be. */
export async function compare(
  stage: Stage,
  screen: Screen,
  small: Observed,
  large: { fetched: Fetched; middle: Middle },
): Promise<boolean> {
  await sleep(settleMilliseconds);
  const all = [...small.fetched, large.fetched];
  // The first lines are the requests that tried nginx before the engine ran.
  const log = parseAccessLog(readFileSync(join(stage.folder, 'access.log'), 'utf8'));
  const served = log.slice(stage.serverAddresses.length);
  const stats = await callControl<Stats>(stage.control, 'GET', '/v1/stats');
  screen.say(
    'What the client saw (curl: its own end, and the other)   |   what the server saw (its log: who came):',
  );
  screen.block(sideBySide(all, served));
  showHandshake(screen, small.handshakes);
  screen.say(
    'What the middle held halfway through the download (ss -tnie in the middle: two ordinary kernel sockets):',
  );
  screen.block(socketTable(large.middle.sockets));
  screen.say('Its flow table at that moment (desplice flows):');
  screen.block(formatFlows(large.middle.flows, large.middle.at));
  screen.say('Its counters (desplice stats; those at zero are left out):');
  screen.block(nonZero(formatStats(stats)));
  return verdict(screen, all, served, small.handshakes, stats);
}

function sideBySide(fetched: Fetched[], served: Served[]): string {
  const rows = [['client', 'server', 'bytes', 'time', '|', 'came from', 'bytes']];
  fetched.forEach((one, index) => {
    const log = served[index];
    rows.push([
      one.client,
      one.server,
      formatBytes(one.bytes),
      `${(one.seconds * 1000).toFixed(one.seconds < 0.1 ? 1 : 0)} ms`,
      '|',
      log?.client ?? 'nothing',
      formatBytes(log?.bytes ?? 0),
    ]);
  });
  return table(rows, [false, false, true, true, false, false, true]);
}

function showHandshake(screen: Screen, { client, server }: Observed['handshakes']): void {
  screen.say('The sequence numbers that the ends chose (tcpdump in both namespaces, first small request):');
  const show = (value: number | null): string => (value === null ? 'not seen' : String(value));
  screen.block(
    table([
      ['', 'at the client', 'at the server'],
      ['SYN', show(client.clientSequence), show(server.clientSequence)],
      ['SYN-ACK', show(client.serverSequence), show(server.serverSequence)],
    ]),
  );
}

function socketTable(text: string): string {
  const sockets = parseSockets(text);
  if (sockets.length === 0) return 'none';
  const names = [...new Set(sockets.flatMap(({ details }) => Object.keys(details)))];
  const rows = sockets.map(({ local, peer, state, details }) => [
    local,
    peer,
    state,
    ...names.map((name) => details[name] ?? ''),
  ]);
  return table([['local', 'peer', 'state', ...names], ...rows]);
}

function nonZero(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\S+ +0 /.test(line))
    .join('\n');
}

function verdict(
  screen: Screen,
  fetched: Fetched[],
  served: Served[],
  { client, server }: Observed['handshakes'],
  stats: Stats,
): boolean {
  const checks: [string, boolean][] = [
    [
      'The server saw the client itself: its own address and its own port, for every request.',
      fetched.every((one, index) => one.client === served[index]?.client),
    ],
    [
      'The client got every byte, from the server that it had asked.',
      fetched.every((one, index) => one.status === 200 && one.bytes === served[index]?.bytes),
    ],
    [
      'Both ends kept the sequence numbers that they chose: nothing is translated.',
      client.clientSequence !== null &&
        client.clientSequence === server.clientSequence &&
        client.serverSequence !== null &&
        client.serverSequence === server.serverSequence,
    ],
    [
      `The middle took all ${fetched.length} connections, after their handshakes, and every byte went through its sockets.`,
      stats.flows.intercepted >= fetched.length && stats.bytes.toClient >= largeBytes,
    ],
  ];
  for (const [text, holds] of checks) holds ? screen.good(text) : screen.bad(`Not so: ${text}`);
  return checks.every(([, holds]) => holds);
}

function run(
  stage: Stage,
  place: string[],
  argv: string[],
  onText?: (text: string) => void,
): Promise<string> {
  const running = start(place, argv, onText);
  stage.running.push(running);
  return finish(running);
}

function url(address: string, path: string): string {
  return `http://${address.includes(':') ? `[${address}]` : address}/${path}`;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
