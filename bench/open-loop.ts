/**
 * Opens short connections at a fixed rate, whatever the answers do, and times each: node open-loop.js ADDRESS PORT PATH
 * RATE FROM UNTIL (milliseconds since the epoch). Blocking system calls of a few threads, since an event loop's own queueing would
 * be a good part of the 100 microseconds that are measured. Begins a little before FROM, so that it runs compiled and evenly in
 * the window, and times only the window. Prints one JSON object.
 */
import { once as nextEvent } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import koffi from 'koffi';

const [address = '', port = '', path = '', rateText = '', fromText = '', untilText = ''] =
  process.argv.slice(2);
const rate = Number(rateText);
const from = Number(fromText);
const until = Number(untilText);
const runUpSeconds = 0.4;
/** One connection that stalls must not delay the next ones. */
const threads = 4;
const runUp = Math.round(runUpSeconds * rate);
const total = Math.round(((until - from) / 1000) * rate);

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int, int, int)');
const connect = libc.func('int connect(int, const uint8_t *, uint32_t)');
const send = libc.func('int64_t send(int, const uint8_t *, size_t, int)');
const recv = libc.func('int64_t recv(int, uint8_t *, size_t, int)');
const close = libc.func('int close(int)');
const setsockopt = libc.func('int setsockopt(int, int, int, const uint8_t *, uint32_t)');
const nanosleep = libc.func('int nanosleep(const uint8_t *, void *)');
const prctl = libc.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const PR_SET_TIMERSLACK = 29;

const peer = new Uint8Array(16);
new DataView(peer.buffer).setUint16(0, AF_INET, true);
new DataView(peer.buffer).setUint16(2, Number(port), false);
peer.set(address.split('.').map(Number), 4);
const request = Buffer.from(`GET ${path} HTTP/1.0\r\n\r\n`);
const answer = new Uint8Array(65536);
const twoSeconds = new Uint8Array(16);
new DataView(twoSeconds.buffer).setBigInt64(0, 2n, true);

const pause = new Uint8Array(16);
const pauseView = new DataView(pause.buffer);
// The default slack of 50 microseconds would bunch the connections.
prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);

function sleepUntil(due: number): void {
  const left = due - performance.now();
  if (left <= 0) return;
  pauseView.setBigInt64(8, BigInt(Math.floor(left * 1e6)), true);
  nanosleep(pause, null);
}

/** Milliseconds to the first and to the last byte, or null when the connection failed. */
function once(start: number): { first: number; last: number } | null {
  const fd = socket(AF_INET, SOCK_STREAM, 0) as number;
  try {
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, twoSeconds, 16);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, twoSeconds, 16);
    if (connect(fd, peer, 16) !== 0) return null;
    if (Number(send(fd, request, request.length, 0)) !== request.length) return null;
    let got = Number(recv(fd, answer, answer.length, 0));
    if (got <= 0) return null;
    const first = performance.now() - start;
    while (got > 0) got = Number(recv(fd, answer, answer.length, 0));
    return got < 0 ? null : { first, last: performance.now() - start };
  } finally {
    close(fd);
  }
}

interface Share {
  failed: number;
  late: number;
  firsts: number[];
  lasts: number[];
}

/** Connections `offset`, `offset + threads` and so on. */
function load(offset: number): Share {
  const share: Share = { failed: 0, late: 0, firsts: [], lasts: [] };
  const begin = performance.now() + (from - Date.now());
  for (let i = offset - runUp; i < total; i += threads) {
    const due = begin + (i * 1000) / rate;
    const ready = performance.now();
    if (ready < due) sleepUntil(due);
    else if (i >= 0) share.late += 1;
    // Timed from when it was due if an earlier one is to blame for the delay, and from now if only the timer is.
    const took = once(ready < due ? performance.now() : due);
    if (took === null) share.failed += 1;
    else if (i >= 0) {
      share.firsts.push(took.first);
      share.lasts.push(took.last);
    }
    // A path that swallows connections costs two seconds each: stop soon after the window rather than hours later.
    if (Date.now() > until + 5000) {
      share.failed += Math.floor((total - 1 - i) / threads);
      break;
    }
  }
  return share;
}

function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 1000;
}

if (isMainThread) {
  const shares = await Promise.all(
    Array.from({ length: threads }, async (_, offset) => {
      const worker = new Worker(new URL(import.meta.url), {
        argv: process.argv.slice(2),
        workerData: offset,
      });
      const [share] = (await nextEvent(worker, 'message')) as [Share];
      return share;
    }),
  );
  const firsts = shares.flatMap((share) => share.firsts);
  const lasts = shares.flatMap((share) => share.lasts);
  const result = {
    total: total + runUp,
    failed: shares.reduce((sum, share) => sum + share.failed, 0),
    late: shares.reduce((sum, share) => sum + share.late, 0),
    firstP50: percentile(firsts, 0.5),
    firstP99: percentile(firsts, 0.99),
    lastP50: percentile(lasts, 0.5),
    lastP99: percentile(lasts, 0.99),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} else {
  parentPort?.postMessage(load(workerData as number));
}
