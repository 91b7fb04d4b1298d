/**
 * Opens short connections at a fixed rate, whatever the answers do, and times each: node open-loop.js ADDRESS PORT PATH
 * RATE FROM UNTIL (milliseconds since the epoch). Blocking system calls of one thread, since an event loop's own queueing would
 * be a good part of the 100 microseconds that are measured. Prints one JSON object.
 */
import koffi from 'koffi';

const [address = '', port = '', path = '', rateText = '', fromText = '', untilText = ''] = process.argv.slice(2);
const rate = Number(rateText);
const from = Number(fromText);
const until = Number(untilText);

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

const begin = performance.now() + (from - Date.now());
const total = Math.round(((until - from) / 1000) * rate);
const firsts: number[] = [];
const lasts: number[] = [];
let failed = 0;
let late = 0;
for (let i = 0; i < total; i += 1) {
  const due = begin + (i * 1000) / rate;
  const ready = performance.now();
  if (ready < due) sleepUntil(due);
  else late += 1;
  // Timed from when it was due if an earlier one is to blame for the delay, and from now if only the timer is.
  const took = once(ready < due ? performance.now() : due);
  if (took === null) failed += 1;
  else {
    firsts.push(took.first);
    lasts.push(took.last);
  }
  // A path that swallows connections costs two seconds each: stop soon after the window rather than hours later.
  if (Date.now() > until + 5000) {
    failed += total - i - 1;
    break;
  }
}

function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 1000;
}

process.stdout.write(
  `${JSON.stringify({
    total,
    failed,
    late,
    firstP50: percentile(firsts, 0.5),
    firstP99: percentile(firsts, 0.99),
    lastP50: percentile(lasts, 0.5),
    lastP99: percentile(lasts, 0.99),
  })}\n`,
);
