import { closeSync, linkSync, lstatSync, openSync, renameSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { basename, dirname, join } from 'node:path';
import type { FlowInfo, ReleaseOutcome, Stats } from '../flow/stats.js';
import { ControlError } from './error.js';

/** What an engine shows and does by its control socket. */
export interface Controlled {
  stats(): Promise<Stats>;
  flows(): Promise<FlowInfo[]>;
  /** Gives flows back to forwarding; null: all. `within`: milliseconds. */
  release(ids: string[] | null, within: number): Promise<ReleaseOutcome[]>;
  /** Checks the configuration file again and swaps the rules; rejects, with the old rules in place, on a mistake. */
  reload(): Promise<void>;
}

export interface ControlServer {
  /** From here on the path leads here; who has connected before is still with the server that had it. */
  takePath(): void;
  /** Stops listening, cuts what is connected and removes the socket file, unless another server has taken the path. */
  close(): Promise<void>;
}

/** How long an answer may take when the server closes. */
const ANSWER_MS = 300;

type Handler = (target: Controlled, query: URLSearchParams) => Promise<unknown>;

const routes: Record<string, { method: 'GET' | 'POST'; handle: Handler }> = {
  '/v1/health': { method: 'GET', handle: async () => ({ status: 'ok', pid: process.pid }) },
  '/v1/stats': { method: 'GET', handle: (target) => target.stats() },
  '/v1/flows': { method: 'GET', handle: (target) => target.flows() },
  '/v1/release': { method: 'POST', handle: release },
  '/v1/reload': {
    method: 'POST',
    handle: async (target) => {
      await target.reload();
      return { reloaded: true };
    },
  },
};

/** `?id=…&id=…` or `?all=1`, and `&within=SECONDS`. */
async function release(target: Controlled, query: URLSearchParams): Promise<ReleaseOutcome[]> {
  const ids = query.getAll('id');
  const all = query.get('all') === '1';
  const within = Number(query.get('within') ?? '5');
  if (all === ids.length > 0) {
    throw new ControlError('USAGE', 'which flows are to be released?', 'write ?id=ID for each, or ?all=1');
  }
  if (!(within > 0 && within <= 3600)) {
    throw new ControlError('USAGE', `found within=${query.get('within')}, expected seconds, up to 3600`);
  }
  return target.release(all ? null : ids, within * 1000);
}

/** `beside`: another engine may have the path, and keeps it until `takePath`. */
export async function serveControl(path: string, target: Controlled, beside = false): Promise<ControlServer> {
  // sun_path of struct sockaddr_un holds 108 bytes with the final zero; libuv cuts longer names off without a word.
  if (Buffer.byteLength(path) > 107) {
    throw new ControlError(
      'USAGE',
      `listening on the control socket ${path}: the path is longer than the 107 bytes of a Unix socket address`,
      'choose a shorter path with --control',
    );
  }
  if (beside) refuseOthers(path);
  else await removeStale(path);
  const server = http.createServer((request, response) => {
    void answer(target, request, response);
  });
  // Under a name that nobody knows. With the folder by its descriptor the name is short enough, whatever the path is.
  const own = join(dirname(path), `.desplice-${process.pid}-${++servers}`);
  try {
    const folder = openSync(dirname(path), O_PATH);
    try {
      await listen(server, `/proc/self/fd/${folder}/${basename(own)}`);
    } finally {
      closeSync(folder);
    }
    if (!beside) {
      linkSync(own, path);
      rmSync(own);
    }
  } catch (error) {
    server.close();
    rmSync(own, { force: true });
    throw explain(error as NodeJS.ErrnoException, path);
  }
  const { ino } = lstatSync(beside ? own : path);
  const remove = (name: string): void => {
    if (lstatSync(name, { throwIfNoEntry: false })?.ino === ino) rmSync(name);
  };
  return {
    takePath: () => {
      if (lstatSync(own, { throwIfNoEntry: false })?.ino === ino) renameSync(own, path);
    },
    close: () =>
      new Promise((resolve) => {
        remove(own);
        remove(path);
        // What has been asked is answered first.
        const late = setTimeout(() => server.closeAllConnections(), ANSWER_MS);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

/** Of this process, since a test has several. */
let servers = 0;
/** Of a folder it opens the name alone (open(2)): no right to read it is needed. */
const O_PATH = 0o10000000;

async function answer(
  target: Controlled,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  request.resume();
  const { pathname: path, searchParams } = new URL(request.url ?? '/', 'http://desplice');
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (!route) {
    const known = Object.keys(routes).join(', ');
    send(response, 404, { code: 'NOT_FOUND', error: `there is no ${path}`, hint: `there are ${known}` });
    return;
  }
  if (request.method !== route.method) {
    response.setHeader('allow', route.method);
    send(response, 405, { code: 'METHOD', error: `${path} takes ${route.method}, not ${request.method}` });
    return;
  }
  try {
    send(response, 200, await route.handle(target, searchParams));
  } catch (error) {
    const { code, hint } = error as { code?: unknown; hint?: unknown };
    // 422: the request was understood, what it points to (the configuration file) is wrong.
    send(response, code === 'USAGE' ? 422 : 500, {
      code: typeof code === 'string' ? code : 'FAILED',
      error: error instanceof Error ? error.message : String(error),
      ...(typeof hint === 'string' ? { hint } : {}),
    });
  }
}

function send(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function listen(server: http.Server, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The file is made by bind(), inside this call: with the mask there is no moment at which others may connect.
    const old = process.umask(0o177);
    try {
      server.listen(name, () => resolve());
    } finally {
      process.umask(old);
    }
  });
}

function explain(error: NodeJS.ErrnoException, path: string): ControlError {
  const hint =
    error.code === 'ENOENT'
      ? 'make its folder, or choose another path with --control'
      : error.code === 'EACCES'
        ? 'run as root, or choose a path that you may write with --control'
        : 'choose another path with --control';
  const reason = error.code === 'EEXIST' ? 'another engine took it at this moment (EEXIST)' : error.message;
  return new ControlError('CONTROL', `listening on the control socket ${path}: ${reason}`, hint);
}

/**
 * A socket file outlives a killed engine; only connect() tells a stale one from a live one. True when there was one and
 * it is removed now; rejects when the path belongs to somebody.
 */
export async function removeStale(path: string): Promise<boolean> {
  if (!refuseOthers(path)) return false;
  if (await isLive(path)) {
    throw new ControlError(
      'CONTROL_BUSY',
      `listening on the control socket ${path}: another engine is running there`,
      'stop it, or give this one a socket of its own with --control PATH',
    );
  }
  rmSync(path, { force: true });
  return true;
}

/** True when there is a socket. Throws when there is something else. */
function refuseOthers(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found || found.isSocket()) return found !== undefined;
  throw new ControlError(
    'CONTROL',
    `listening on the control socket ${path}: there is a file that is no socket`,
    'it is left alone; move it away, or choose another path with --control',
  );
}

function isLive(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      // EAGAIN: its backlog is full, so somebody holds it.
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(new ControlError('CONTROL', `looking at the control socket ${path}: ${error.message}`));
    });
  });
}
