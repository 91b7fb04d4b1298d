/** What either end of an audit can be told to do, in plain values, so that it goes over a control connection as well. */
import { errnoName } from '../kernel/errors.js';
import * as host from '../kernel/host_socket.js';
import { close, unread } from '../kernel/socket.js';
import { attachFilter, dropAll } from '../kernel/socket_filter.js';
import { type TcpInfo, tcpInfo } from '../kernel/tcp_info.js';
import { formatAddress, parseAddress } from '../wire/address.js';
import { firstWrong, patternBytes } from './pattern.js';
import { headEnd, longestHead } from './wrap.js';

export type Family = 4 | 6;
export type Options = Record<string, number | number[]>;
export interface Name {
  address: string;
  port: number;
}
/** A handle, and who is at its ends; or why there is none. */
export interface Opened {
  handle: number;
  error: string;
  local: Name;
  remote: Name;
}
export interface Read {
  bytes: number;
  /** Position of the first byte that is not the stream's, or -1. */
  wrong: number;
  /** `enough`, `EOF`, `waiting`, or the name of an error. */
  end: string;
  /** What was read, for a caller that knows no stream (`seed` 0). */
  hex: string;
}
export interface Sent {
  bytes: number;
  /** '' when all was taken, `waiting`, or the name of an error. */
  error: string;
}

const EAGAIN = -11;
const EINPROGRESS = -115;
const EINVAL = -22;
const nobody: Name = { address: '', port: 0 };
const nothing: Opened = { handle: -1, error: '', local: nobody, remote: nobody };

/** Sockets by number: a number is good only for whoever has made it, and `clean` closes them all. */
export class Calls {
  readonly #open = new Map<number, number>();
  #next = 1;

  listen(family: Family, address: string, port: number, options: Options = {}): Opened {
    const fd = this.#socket(family, options);
    host.setHostOption(fd, 'SO_REUSEADDR', 1);
    const result = host.hostBind(fd, family, bytesOf(address), port) || host.hostListen(fd, 64);
    return this.#opened(fd, result);
  }

  /** Takes a port, so that the kernel has somebody to leave its segments to; and drops them all, so that it answers none. */
  mute(family: Family, address: string, port: number): Opened {
    const fd = this.#socket(family, {});
    attachFilter(fd, dropAll);
    host.setHostOption(fd, 'SO_REUSEADDR', 1);
    const result = host.hostBind(fd, family, bytesOf(address), port) || host.hostListen(fd, 1);
    return this.#opened(fd, result);
  }

  async accept(handle: number, ms: number): Promise<Opened> {
    const fd = await retry(ms, () => host.hostAccept(this.#fd(handle)));
    return fd < 0 ? { ...nothing, error: nameOf(fd) } : this.#opened(fd, 0);
  }

  async connect(
    family: Family,
    address: string,
    port: number,
    { from, fromPort = 0, options = {}, ms = 5000 }: ConnectOptions,
  ): Promise<Opened> {
    const fd = this.#socket(family, options);
    if (fromPort) {
      host.setHostOption(fd, 'SO_REUSEADDR', 1);
      const bound = host.hostBind(fd, family, bytesOf(from ?? (family === 4 ? '0.0.0.0' : '::')), fromPort);
      if (bound < 0) return this.#opened(fd, bound);
    }
    const result = host.hostConnect(fd, family, bytesOf(address), port);
    if (result !== EINPROGRESS) return this.#opened(fd, result);
    const done = await retry(ms, () => {
      const info = tcpInfo(fd);
      return typeof info !== 'number' && info.state === 'SYN_SENT' ? EAGAIN : host.pendingError(fd);
    });
    return this.#opened(fd, done);
  }

  async send(
    handle: number,
    count: number,
    seed: number,
    offset: number,
    ms: number,
    urgent = false,
  ): Promise<Sent> {
    let bytes = 0;
    while (bytes < count) {
      const piece = patternBytes(seed, offset + bytes, Math.min(65_536, count - bytes));
      const n = await retry(ms, () =>
        host.hostSend(this.#fd(handle), piece, urgent ? host.messageFlags.MSG_OOB : 0),
      );
      if (n < 0) return { bytes, error: nameOf(n) };
      bytes += n;
    }
    return { bytes, error: '' };
  }

  async write(handle: number, hex: string): Promise<Sent> {
    const bytes = Buffer.from(hex, 'hex');
    const n = await retry(2000, () => host.hostSend(this.#fd(handle), bytes));
    return n < 0 ? { bytes: 0, error: nameOf(n) } : { bytes: n, error: '' };
  }

  /** Reads until `count` bytes are there, or the end; `ms` since the last byte. */
  async receive(
    handle: number,
    count: number | null,
    seed: number,
    offset: number,
    ms: number,
  ): Promise<Read> {
    const most = count ?? Number.MAX_SAFE_INTEGER;
    // Of this call alone: others may read while this one waits.
    const buffer = new Uint8Array(Math.min(most, 65_536));
    const kept: Buffer[] = [];
    const read = { bytes: 0, wrong: -1 };
    const done = (end: string): Read => ({ ...read, end, hex: Buffer.concat(kept).toString('hex') });
    while (read.bytes < most) {
      const wanted = Math.min(buffer.length, most - read.bytes);
      const n = await retry(ms, () => host.hostReceive(this.#fd(handle), buffer, 0, wanted));
      if (n === 0) return done('EOF');
      if (n < 0) return done(nameOf(n));
      const piece = buffer.subarray(0, n);
      if (seed === 0) kept.push(Buffer.from(piece));
      else if (read.wrong < 0) read.wrong = firstWrong(seed, offset + read.bytes, piece);
      read.bytes += n;
    }
    return done('enough');
  }

  /** Reads to the end of a head, and no byte more; `ms` since the last one. */
  async head(handle: number, ms: number): Promise<Read> {
    const byte = new Uint8Array(1);
    let text = '';
    const done = (end: string): Read => ({
      bytes: text.length,
      wrong: -1,
      end,
      hex: Buffer.from(text, 'latin1').toString('hex'),
    });
    while (!text.endsWith(headEnd)) {
      const n = await retry(ms, () => host.hostReceive(this.#fd(handle), byte, 0, 1));
      if (n === 0) return done('EOF');
      if (n < 0) return done(nameOf(n));
      text += String.fromCharCode(byte[0] as number);
      if (text.length > longestHead) return done('too long');
    }
    return done('enough');
  }

  /** The urgent byte, out of the stream (MSG_OOB); -1 when none is announced within `ms`. */
  async urgentByte(handle: number, ms: number): Promise<number> {
    const { MSG_OOB } = host.messageFlags;
    const buffer = new Uint8Array(1);
    const n = await retry(ms, () => {
      const got = host.hostReceive(this.#fd(handle), buffer, MSG_OOB, 1);
      return got === EINVAL ? EAGAIN : got;
    });
    return n === 1 ? (buffer[0] as number) : -1;
  }

  /** Waits until so many bytes lie unread; how many do. */
  async unread(handle: number, least: number, ms: number): Promise<number> {
    await retry(ms, () => (unread(this.#fd(handle)) >= least ? 0 : EAGAIN));
    return unread(this.#fd(handle));
  }

  /** What went wrong with a connection meanwhile, once something has: '' when nothing did within `ms`. */
  async failure(handle: number, ms: number): Promise<string> {
    const n = await retry(ms, () => host.pendingError(this.#fd(handle)) || EAGAIN);
    return n === timedOut ? '' : nameOf(n);
  }

  shutdown(handle: number): number {
    return host.hostShutdown(this.#fd(handle), 'write');
  }

  set(handle: number, option: string, ...values: number[]): number {
    return host.setHostOption(this.#fd(handle), option, ...values);
  }

  info(handle: number): TcpInfo | null {
    const info = tcpInfo(this.#fd(handle));
    return typeof info === 'number' ? null : info;
  }

  close(handle: number, reset = false): number {
    const fd = this.#fd(handle);
    if (reset) host.setHostOption(fd, 'SO_LINGER', 1, 0);
    this.#open.delete(handle);
    close(fd);
    return 0;
  }

  clean(): void {
    for (const fd of this.#open.values()) {
      host.setHostOption(fd, 'SO_LINGER', 1, 0);
      close(fd);
    }
    this.#open.clear();
  }

  #socket(family: Family, options: Options): number {
    const fd = host.hostSocket(family);
    if (fd < 0) throw new Error(`socket: ${nameOf(fd)}`);
    for (const [name, value] of Object.entries(options)) host.setHostOption(fd, name, ...[value].flat());
    return fd;
  }

  #opened(fd: number, result: number): Opened {
    if (result < 0) {
      close(fd);
      return { ...nothing, error: nameOf(result) };
    }
    const handle = this.#next++;
    this.#open.set(handle, fd);
    return { handle, error: '', local: whoIs(fd, false), remote: whoIs(fd, true) };
  }

  #fd(handle: number): number {
    const fd = this.#open.get(handle);
    if (fd === undefined) throw new RangeError(`there is no socket ${handle}`);
    return fd;
  }
}

export interface ConnectOptions {
  from?: string;
  fromPort?: number;
  options?: Options;
  ms?: number;
}

const timedOut = -9999;
const nameOf = (result: number): string => (result === timedOut ? 'waiting' : errnoName(-result));

function bytesOf(address: string): Uint8Array {
  const bytes = parseAddress(address);
  if (!bytes) throw new RangeError(`${address} is no address`);
  return bytes;
}

function whoIs(fd: number, peer: boolean): Name {
  const name = host.socketName(fd, peer);
  return typeof name === 'number' ? nobody : { address: formatAddress(name.address), port: name.port };
}

/** Timers, not threads that wait in poll(2): libuv has four of them, and several cases run at a time. */
async function retry(ms: number, call: () => number): Promise<number> {
  const deadline = performance.now() + ms;
  for (let pause = 1; ; pause = Math.min(pause + 1, 10)) {
    const result = call();
    if (result !== EAGAIN) return result;
    if (performance.now() > deadline) return timedOut;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
