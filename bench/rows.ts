import { type Bench, openLoopFile, openLoopRate } from './bench.js';
import { at, withSpinners } from './cpu.js';
import { idleMemory } from './memory.js';
import { CommandFailed, run } from './process.js';
import { releasedRows } from './released-rows.js';
import type { Measured, Metric, Row } from './row.js';
import { type Conditions, portRange } from './site.js';
import { wrk } from './wrk.js';

const contenders = ['plain', 'haproxy', 'desplice'];
const rate: Metric = { name: 'connections', unit: 'connections/s', digits: 0 };

async function connections(bench: Bench, seconds: number): Promise<Measured> {
  const load = { connections: 32, seconds, path: '/small', close: true };
  const result = await wrk(bench.site, bench.directory, load);
  const values = { connections: result.requests / result.seconds };
  return { values, connections: result.requests, attempts: result.requests, errors: result.errors };
}

export interface OpenLoopResult {
  total: number;
  failed: number;
  late: number;
  firstP50: number;
  firstP99: number;
  lastP50: number;
  lastP99: number;
}

async function openLoop(
  bench: Bench,
  perSecond: number,
  from: number,
  until: number,
): Promise<OpenLoopResult> {
  const parameters = [
    bench.site.serverAddress,
    '80',
    '/small',
    String(perSecond),
    String(from),
    String(until),
  ];
  const argv = bench.site.inside('client', [process.execPath, openLoopFile, ...parameters]);
  const text = await run(argv, { seconds: (until - Date.now()) / 1000 + 30 });
  return JSON.parse(text) as OpenLoopResult;
}

const windowSeconds = 2;

/** Bytes of one download for so many seconds, slow start included. */
async function download(bench: Bench, seconds: number): Promise<Measured> {
  const url = `http://${bench.site.serverAddress}/huge`;
  const said = '%{size_download} %{time_total}';
  const argv = ['curl', '-s', '-o', '/dev/null', '-m', String(seconds), '-w', said, url];
  // Code 28: time was up, as it should be.
  const script = '"$@"; code=$?; test $code = 0 -o $code = 28';
  const text = await run(bench.site.inside('client', ['sh', '-c', script, 'sh', ...argv]), {
    seconds: seconds + 10,
  });
  const [bytes, taken] = text.trim().split(' ').map(Number);
  if (!bytes || !taken) throw new CommandFailed(`curl said "${text.trim()}"`);
  return { values: { bytes: bytes / taken / 1e6 }, connections: 1, attempts: 1, errors: 0 };
}

/** 100 ms there and back, all of them on the side of the server. */
const far = { delayMs: 50, rateMbit: 1000, queueMs: 200 };

function longPath(name: string, what: string, loss: number, congestion: Conditions['congestion']): Row {
  return {
    name,
    title: `a download for 8 s over 100 ms and 1 Gbit/s, ${what}`,
    subjects: ['plain', 'desplice'],
    mostRounds: 3,
    conditions: { path: { server: { ...far, loss } }, congestion },
    metrics: [{ name: 'bytes', unit: 'MB/s', digits: 1 }],
    goals: [{ metric: 'bytes', subject: 'desplice', atLeast: true, factor: 0.95, base: 'plain' }],
    measure: (bench) => download(bench, bench.quick ? 3 : 8),
  };
}

function pingpong(name: string, where: string, subjects: Row['subjects'], conditions?: Conditions): Row {
  return {
    name,
    title: `one small request after the other ${where}`,
    subjects,
    ...(conditions ? { conditions } : {}),
    metrics: [{ name: 'p50', unit: 'µs there and back, p50', digits: 0 }],
    goals: [{ metric: 'p50', subject: 'desplice', atLeast: false, factor: 1.3, base: 'plain' }],
    async measure(bench) {
      // Without spinners most of it is how long the machine takes to leave its sleep states: each of us wakes one more.
      const { result } = await withSpinners(4, ({ from }) =>
        at(from, () => wrk(bench.site, bench.directory, { connections: 1, seconds: 2, path: '/small' })),
      );
      return {
        values: { p50: result.p50 },
        connections: 1,
        attempts: result.requests,
        errors: result.errors,
      };
    },
  };
}

export const rows: Row[] = [
  {
    name: 'fresh',
    title: 'new connections, no port used twice',
    subjects: contenders,
    metrics: [rate],
    goals: [{ metric: 'connections', subject: 'desplice', atLeast: true, factor: 0.85, base: 'haproxy' }],
    measure: (bench) => connections(bench, 2),
  },
  {
    name: 'keep',
    title: 'new connections, no port used twice, with and without --keep',
    subjects: ['desplice', 'kept'],
    metrics: [rate],
    goals: [{ metric: 'connections', subject: 'kept', atLeast: true, factor: 0.9, base: 'desplice' }],
    measure: (bench) => connections(bench, 2),
  },
  {
    name: 'reused',
    title: 'new connections for 20 s, ports used again',
    subjects: contenders,
    mostRounds: 3,
    metrics: [rate],
    goals: [{ metric: 'connections', subject: 'desplice', atLeast: true, factor: 1.5, base: 'haproxy' }],
    async measure(bench) {
      await portRange(bench.site, 'default');
      try {
        return await connections(bench, bench.quick ? 5 : 20);
      } finally {
        await portRange(bench.site, 'wide');
      }
    },
  },
  {
    name: 'cpu',
    title: `${openLoopRate} short connections a second`,
    subjects: contenders,
    metrics: [
      { name: 'cpu', unit: 'µs CPU added a connection', digits: 1, overPlain: true },
      { name: 'lastP50', unit: 'µs to last byte, p50', digits: 0 },
      { name: 'lastP99', unit: 'µs to last byte, p99', digits: 0 },
    ],
    goals: [
      { metric: 'cpu', subject: 'desplice', atLeast: false, factor: 1.1, base: 'haproxy' },
      { metric: 'lastP50', subject: 'desplice', atLeast: false, factor: 1, base: 'haproxy' },
      { metric: 'lastP99', subject: 'desplice', atLeast: false, factor: 1, base: 'haproxy' },
    ],
    async calibrate() {
      const { chunks } = await withSpinners(windowSeconds, async () => {});
      return chunks / windowSeconds;
    },
    async measure(bench, _active, idleRate) {
      const { chunks, result } = await withSpinners(windowSeconds, ({ from, until }) =>
        openLoop(bench, openLoopRate, from, until),
      );
      if (result.late > result.total / 2) {
        throw new CommandFailed(`the load was late for ${result.late} of ${result.total} connections`);
      }
      const used = (1 - chunks / (idleRate * windowSeconds)) * bench.cores * 1e6;
      const { lastP50, lastP99, total, failed } = result;
      return {
        values: { cpu: used / openLoopRate, lastP50, lastP99 },
        connections: total - failed,
        attempts: total,
        errors: failed,
      };
    },
  },
  {
    name: 'bulk',
    title: '4 downloads of 10 MB at a time',
    subjects: ['plain', 'haproxy', 'haproxy-splice', 'desplice'],
    metrics: [{ name: 'bytes', unit: 'MB/s', digits: 0 }],
    goals: [
      { metric: 'bytes', subject: 'desplice', atLeast: true, factor: 1.1, base: 'haproxy' },
      { metric: 'bytes', subject: 'desplice', atLeast: true, factor: 1.1, base: 'haproxy-splice' },
    ],
    async measure(bench) {
      const load = { connections: 4, seconds: 2, path: '/large' };
      const result = await wrk(bench.site, bench.directory, load);
      return {
        values: { bytes: result.bytes / result.seconds / 1e6 },
        connections: 4,
        attempts: result.requests,
        errors: result.errors,
      };
    },
  },
  {
    name: 'requests',
    title: 'requests on 32 kept connections',
    subjects: contenders,
    metrics: [{ name: 'requests', unit: 'requests/s', digits: 0 }],
    goals: [{ metric: 'requests', subject: 'desplice', atLeast: true, factor: 1, base: 'haproxy' }],
    async measure(bench) {
      const load = { connections: 32, seconds: 2, path: '/small' };
      const result = await wrk(bench.site, bench.directory, load);
      return {
        values: { requests: result.requests / result.seconds },
        connections: 32,
        attempts: result.requests,
        errors: result.errors,
      };
    },
  },
  pingpong('pingpong', 'on one kept connection', contenders),
  pingpong('pingpong-near', 'over 1 ms there and back', ['plain', 'desplice'], {
    path: { server: { delayMs: 0.5 } },
    congestion: 'cubic',
  }),
  longPath('fat', 'nothing lost, BBR', 0, 'bbr'),
  longPath('fat-cubic', 'nothing lost, CUBIC', 0, 'cubic'),
  longPath('fat-lossy', '0.1 % lost, BBR', 0.001, 'bbr'),
  longPath('fat-lossy-cubic', '0.1 % lost, CUBIC', 0.001, 'cubic'),
  {
    name: 'small-mtu',
    title: '4 downloads of 10 MB at a time, routers on both sides of the middle with MTU 1400 and 1300',
    subjects: ['plain', 'desplice'],
    mostRounds: 3,
    conditions: { path: { routers: { client: { mtu: 1300 }, server: { mtu: 1400 } } }, congestion: 'cubic' },
    metrics: [{ name: 'bytes', unit: 'MB/s', digits: 0 }],
    goals: [{ metric: 'bytes', subject: 'desplice', atLeast: true, factor: 0.9, base: 'plain' }],
    async measure(bench) {
      const result = await wrk(bench.site, bench.directory, { connections: 4, seconds: 2, path: '/large' });
      return {
        values: { bytes: result.bytes / result.seconds / 1e6 },
        connections: 4,
        attempts: result.requests,
        errors: result.errors,
      };
    },
  },
  {
    name: 'ttfb',
    title: 'time to first byte added, 500 connections a second',
    subjects: [...contenders, 'awake'],
    metrics: [
      { name: 'firstP50', unit: 'µs added, p50', digits: 0, overPlain: true },
      { name: 'firstP99', unit: 'µs added, p99', digits: 0, overPlain: true },
    ],
    goals: [{ metric: 'firstP50', subject: 'desplice', atLeast: false, factor: 1, base: 'haproxy' }],
    async measure(bench) {
      const { result } = await withSpinners(windowSeconds, ({ from, until }) =>
        openLoop(bench, 500, from, until),
      );
      const { firstP50, firstP99, total, failed } = result;
      return { values: { firstP50, firstP99 }, connections: total - failed, attempts: total, errors: failed };
    },
  },
  {
    name: 'memory',
    title: 'memory of an idle flow',
    subjects: contenders,
    mostRounds: 3,
    metrics: [
      { name: 'user', unit: 'KiB of the process', digits: 2 },
      { name: 'kernel', unit: 'KiB of kernel slabs added', digits: 2, overPlain: true },
    ],
    goals: [{ metric: 'user', subject: 'desplice', atLeast: false, factor: 8 }],
    measure: (bench, active) => idleMemory(bench, active, bench.quick ? 500 : 2000),
  },
  {
    name: 'decided',
    title: 'new connections that `decide` forwards at their first data',
    subjects: ['plain', 'decided'],
    metrics: [rate],
    goals: [{ metric: 'connections', subject: 'decided', atLeast: true, factor: 0.9, base: 'plain' }],
    measure: (bench) => connections(bench, 2),
  },
  {
    name: 'unmatched',
    title: 'new connections with the tracker attached and no rule that matches',
    subjects: ['plain', 'unmatched'],
    metrics: [rate],
    goals: [{ metric: 'connections', subject: 'unmatched', atLeast: true, factor: 0.97, base: 'plain' }],
    measure: (bench) => connections(bench, 2),
  },
  ...releasedRows,
];
