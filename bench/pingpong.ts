/**
 * One small request after the other on one kept connection: node pingpong.js ADDRESS PORT PATH. Prints `open` after a few hundred.
 * For each number of seconds on standard input goes on for so long and prints {"p50":µs there and back,"requests":…}.
 * Blocking system calls, since an event loop's own queueing would be a good part of the 30 microseconds that are measured.
 */
import { readSync } from 'node:fs';
import koffi from 'koffi';

const [address = '', port = '', path = ''] = process.argv.slice(2);

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int, int, int)');
const connect = libc.func('int connect(int, const uint8_t *, uint32_t)');
const send = libc.func('int64_t send(int, const uint8_t *, size_t, int)');
const recv = libc.func('int64_t recv(int, uint8_t *, size_t, int)');
const setsockopt = libc.func('int setsockopt(int, int, int, const uint8_t *, uint32_t)');

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;

const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
const answer = new Uint8Array(65536);
/** Of one answer, header and all; the first one tells. */
let answerBytes = 0;

function open(): number {
  const peer = new Uint8Array(16);
  new DataView(peer.buffer).setUint16(0, AF_INET, true);
  new DataView(peer.buffer).setUint16(2, Number(port), false);
  peer.set(address.split('.').map(Number), 4);
  const fd = socket(AF_INET, SOCK_STREAM, 0);
  const one = new Uint8Array([1, 0, 0, 0]);
  const twoSeconds = new Uint8Array(16);
  new DataView(twoSeconds.buffer).setBigInt64(0, 2n, true);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, one, one.length);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, twoSeconds, twoSeconds.length);
  if (connect(fd, peer, peer.length) !== 0) throw new Error(`connect: errno ${koffi.errno()}`);
  return fd;
}

/** Microseconds there and back. */
function ask(fd: number): number {
  const began = performance.now();
  if (send(fd, request, request.length, 0) !== request.length) throw new Error('the connection is gone');
  let got = 0;
  do {
    const n = Number(recv(fd, answer, answer.length, 0));
    if (n <= 0) throw new Error(`no answer: errno ${koffi.errno()}`);
    got += n;
  } while (got < answerBytes);
  answerBytes = got;
  return (performance.now() - began) * 1000;
}

function measure(fd: number, seconds: number): { p50: number; requests: number } {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) times.push(ask(fd));
  times.sort((a, b) => a - b);
  return { p50: times[times.length >> 1] ?? 0, requests: times.length };
}

/** The next line of standard input; null at its end. */
function order(): string | null {
  const byte = new Uint8Array(1);
  for (let line = ''; readSync(0, byte) === 1; line += String.fromCharCode(byte[0] as number)) {
    if (byte[0] === 10) return line;
  }
  return null;
}

const fd = open();
for (let i = 0; i < 500; i += 1) ask(fd);
process.stdout.write('open\n');
for (let line = order(); line !== null; line = order()) {
  process.stdout.write(`${JSON.stringify(measure(fd, Number(line)))}\n`);
}
