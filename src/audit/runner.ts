/** Runs cases between this end and the other, a few at a time, and never waits for anything without a limit. */
import { isIPv6 } from 'node:net';
import { connectionsTo } from '../timeline/connection.js';
import { LabelNames, timelineOf } from '../timeline/timeline.js';
import { type View, type Views, viewOf } from '../timeline/view.js';
import type { Family } from './calls.js';
import { type AuditCase, type Found, NotTested, type Seen } from './case.js';
import { LocalEnd } from './end.js';
import type { AuditError } from './protocol.js';
import { RemoteEnd } from './remote.js';
import type { Side } from './socket.js';
import { portsEach, Stage } from './stage.js';
import type { Way } from './way.js';
import type { WrapName } from './wrap.js';

export interface Result extends Found {
  case: AuditCase;
  /** What each end captured; empty without privileges. */
  views: Views;
}

export interface Audit {
  server: string;
  family: Family;
  wrap?: WrapName | null;
  results: Result[];
  /** What ended it early. */
  broken: AuditError | null;
}

export interface AuditOptions {
  /** How the other end is reached. */
  way: Way;
  version: string;
  cases: readonly AuditCase[];
  /** The protocol in which each connection is wrapped, for a box that lets nothing else through. */
  wrap?: WrapName | null;
  progress: (result: Result, done: number, of: number) => void;
}

/** Most of a case's time is waiting; more at a time would disturb each other's clocks. */
const lanes = 4;
const caseMs = 20_000;
const nothing: Seen = { client: 'nothing', server: 'nothing' };

export async function runAudit(options: AuditOptions): Promise<Audit> {
  const { way, version, cases, wrap = null, progress } = options;
  const remote = await RemoteEnd.connect(way, version);
  const ahead = await remote.clockAhead();
  const local = new LocalEnd(remote.localAddress, remote.ports);
  const server = remote.address;
  const family: Family = isIPv6(server) ? 6 : 4;
  const ports = new PortRow(remote.ports.first, remote.ports.last);
  const results: Result[] = [];
  const one = async (each: AuditCase): Promise<void> => {
    const left = leftOut(each, family, wrap, local, remote);
    const result = left ?? (await tried(each));
    results.push(result);
    progress(result, results.length, cases.length);
  };
  /** Once more where the path has lost something meanwhile: the control connection goes the same way, and knows. */
  const tried = async (each: AuditCase): Promise<Result> => {
    const once = () =>
      play(each, new Stage({ client: local, server: remote }, server, family, ports.next(), wrap));
    const before = await remote.losses();
    const first = await once();
    const between = await remote.losses();
    if (first.verdict === 'right' || between <= before) return first;
    const again = await once();
    if (again.verdict === 'right' || (await remote.losses()) <= between) {
      return { ...again, reason: `${again.reason} (second try: the path lost packets during the first)` };
    }
    return {
      ...again,
      verdict: 'not tested',
      reason: `the path lost packets during both tries: ${again.reason}`,
    };
  };
  try {
    const waiting = [...cases];
    const lane = async () => {
      for (let each = waiting.shift(); each; each = waiting.shift()) await one(each);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  } finally {
    remote.close();
    local.close();
  }
  results.sort((a, b) => cases.indexOf(a.case) - cases.indexOf(b.case));
  return { server, family, wrap, results, broken: remote.broken };

  async function play(each: AuditCase, stage: Stage): Promise<Result> {
    if (remote.broken) return notTested(each, 'the control connection broke');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NotTested(`not done after ${caseMs / 1000} s`)), caseMs);
    });
    try {
      await stage.begin();
      const found = await Promise.race([each.run(stage), late]);
      return { case: each, ...found, views: await viewsOf(stage, ahead) };
    } catch (error) {
      if (remote.broken) return notTested(each, 'the control connection broke');
      const why = error instanceof Error ? error.message : String(error);
      const seen = error instanceof NotTested ? error.seen : nothing;
      return { ...notTested(each, why, seen), views: await viewsOf(stage, ahead) };
    } finally {
      clearTimeout(timer);
      await stage.clean();
    }
  }
}

const notTested = (each: AuditCase, reason: string, seen = nothing): Result => ({
  case: each,
  verdict: 'not tested',
  reason,
  seen,
  views: { client: [], server: [] },
});

/** Why this case cannot run between these ends, or null. */
function leftOut(
  each: AuditCase,
  family: Family,
  wrap: WrapName | null,
  client: LocalEnd,
  server: RemoteEnd,
): Result | null {
  if (each.families && !each.families.includes(family)) {
    return notTested(each, `it is about IPv${each.families.join(' and IPv')}`);
  }
  if (wrap && each.bare) return notTested(each, `not inside ${wrap.toUpperCase()}: ${each.bare}`);
  if (each.by === 'sockets') return null;
  const lacking = [
    ...(client.unprivileged ? [`the client: ${client.unprivileged}`] : []),
    ...(server.unprivileged ? [`the server: ${server.unprivileged}`] : []),
  ];
  return lacking.length > 0 ? notTested(each, `needs root (${lacking.join('; ')})`) : null;
}

async function viewsOf(stage: Stage, ahead: number): Promise<Views> {
  const labels = new LabelNames();
  const of = async (side: Side): Promise<View[]> => {
    const packets = await stage.seen(side).catch(() => []);
    const ports = Array.from({ length: portsEach }, (_, i) => stage.port + i);
    return ports
      .flatMap((port) => connectionsTo(port, packets))
      .map((connection) => viewOf(timelineOf(connection, labels), side === 'server' ? ahead : 0));
  };
  return { client: await of('client'), server: await of('server') };
}

/** Ports for one run of a case after the other, all of them before any comes again. */
class PortRow {
  #next: number;

  constructor(
    readonly first: number,
    readonly last: number,
  ) {
    this.#next = first;
  }

  next(): number {
    if (this.#next + portsEach - 1 > this.last) this.#next = this.first;
    const port = this.#next;
    this.#next += portsEach;
    return port;
  }
}
