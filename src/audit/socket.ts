/** A connection of a case by an ordinary socket, at either end. */
import type { TcpInfo } from '../kernel/tcp_info.js';
import type { Name, Opened, Read, Sent } from './calls.js';
import type { End } from './end.js';
import { disagreed, type Exchange, headEnd } from './wrap.js';

/** Streams that the ends send: which byte stands where is known from the sender alone. */
export const seeds = { client: 1, server: 2 } as const;
export type Side = keyof typeof seeds;
const other = { client: 'server', server: 'client' } as const;

const patienceMs = 3000;

export class Socket {
  readonly handle: number;
  /** '' when it is connected, else why not. */
  readonly error: string;
  readonly local: Name;
  readonly remote: Name;
  #sent = 0;
  #received = 0;
  /** At the client: the exchange whose answer is still to be read. */
  #exchange: Exchange | null = null;
  #answered: Promise<string> | null = null;

  constructor(
    readonly end: End,
    readonly side: Side,
    { handle, error, local, remote }: Opened,
  ) {
    this.handle = handle;
    this.error = error;
    this.local = local;
    this.remote = remote;
  }

  /** The next `count` bytes of this end's stream; `ms` without progress ends it. */
  async send(count: number, { ms = patienceMs, urgent = false } = {}): Promise<Sent> {
    const args = [this.handle, count, seeds[this.side], this.#sent, ms, urgent];
    const sent = await this.end.call<Sent>('send', ...args);
    this.#sent += sent.bytes;
    return sent;
  }

  /** A client's request, for whose answer nobody waits yet: the server may not have been told to accept. */
  async ask(exchange: Exchange): Promise<void> {
    this.#exchange = exchange;
    await this.write(exchange.request);
  }

  /** Reads what answers `ask`, once; every call that reads does that first. Why it is not what it should be, or ''. */
  answered(): Promise<string> {
    const exchange = this.#exchange;
    if (!exchange) return Promise.resolve('');
    this.#answered ??= this.#head().then(({ hex, end }) =>
      disagreed(exchange, Buffer.from(hex, 'hex').toString('latin1'), end),
    );
    return this.#answered;
  }

  /** A server's half. Why it failed, or ''. */
  async answer({ response }: Exchange): Promise<string> {
    const { hex, end } = await this.#head();
    if (!Buffer.from(hex, 'hex').toString('latin1').endsWith(headEnd))
      return `in place of a request came ${end}`;
    return (await this.write(response)).error;
  }

  #head(): Promise<Read> {
    return this.end.call<Read>('head', this.handle, patienceMs);
  }

  /** The other end's stream: so many bytes, or to its end. */
  async receive(count: number | null = null, ms = patienceMs): Promise<Read> {
    await this.answered();
    const args = [this.handle, count, seeds[other[this.side]], this.#received, ms];
    const read = await this.end.call<Read>('receive', ...args);
    this.#received += read.bytes;
    return read;
  }

  write(text: string): Promise<Sent> {
    return this.end.call('write', this.handle, Buffer.from(text).toString('hex'));
  }

  async read(count: number, ms = patienceMs): Promise<string> {
    await this.answered();
    const { hex } = await this.end.call<Read>('receive', this.handle, count, 0, 0, ms);
    return Buffer.from(hex, 'hex').toString();
  }

  /** Takes the urgent byte out of the stream; -1: none is announced. */
  async urgentByte(ms = patienceMs): Promise<number> {
    await this.answered();
    const byte = await this.end.call<number>('urgentByte', this.handle, ms);
    if (byte >= 0) this.#received++;
    return byte;
  }

  async unread(least: number, ms = patienceMs): Promise<number> {
    await this.answered();
    return this.end.call('unread', this.handle, least, ms);
  }

  /** The error that comes to the connection within `ms`, or ''. */
  failure(ms = patienceMs): Promise<string> {
    return this.end.call('failure', this.handle, ms);
  }

  info(): Promise<TcpInfo | null> {
    return this.end.call('info', this.handle);
  }
  set(option: string, ...values: number[]): Promise<number> {
    return this.end.call('set', this.handle, option, ...values);
  }
  /** FIN behind what was sent. */
  shutdown(): Promise<number> {
    return this.end.call('shutdown', this.handle);
  }
  close(): Promise<number> {
    return this.end.call('close', this.handle);
  }
  reset(): Promise<number> {
    return this.end.call('close', this.handle, true);
  }
}

/** Whether so many bytes came, and the right ones. */
export const whole = (read: Read, count: number): boolean => read.bytes === count && read.wrong < 0;

export function readText({ bytes, wrong, end }: Read): string {
  return `${bytes} bytes, then ${end}${wrong < 0 ? '' : `; byte ${wrong} is wrong`}`;
}
