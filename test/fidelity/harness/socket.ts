/** One connection of an end of a scenario; each call and its result go into the transcript. */
import { seeds } from '../../../src/audit/socket.js';
import { messageFlags } from '../../../src/kernel/host_socket.js';
import type { TcpInfo } from '../../../src/kernel/tcp_info.js';
import type { Agent } from './agent.js';
import type { Host } from './host.js';
import { patienceMs } from './place.js';
import { resultText } from './transcript.js';

export interface Received {
  bytes: number;
  /** `EOF`, `enough`, `still waiting`, or the name of an error. */
  end: string;
}

/** What TCP_INFO must say alike in both runs. */
const comparedInfo: readonly (keyof TcpInfo)[] = [
  'timestamps',
  'sack',
  'windowScaling',
  'ecn',
  'ecnSeen',
  'synData',
  'sendScale',
  'receiveScale',
  'sendMss',
  'advertisedMss',
  'pathMtu',
];

export class Socket {
  #sent: number;
  #received = 0;
  #told = false;

  constructor(
    readonly host: Host,
    readonly fd: number,
    /** `0`, or what connect() failed with. */
    readonly error: string,
    sent = 0,
  ) {
    this.#sent = sent;
  }

  /** Sends the next `count` bytes of this end's stream. */
  async send(count: number, flag?: keyof typeof messageFlags): Promise<string> {
    const { end } = this.host.place;
    const flags = flag ? messageFlags[flag] : 0;
    const done = this.#begin(`send ${count}${flag ? ` ${flag}` : ''}`);
    const args = [this.fd, count, seeds[end], this.#sent, flags, this.patience(count)];
    const { bytes, error } = await this.#agent.call<{ bytes: number; error: number }>('send', ...args);
    this.#sent += bytes;
    return done(error === 0 ? String(bytes) : `${bytes}, then ${resultText(error)}`);
  }

  /** Reads until `count` bytes have come, or without a count to the end of the stream. */
  async receive(count?: number, options: { patienceMs?: number } = {}): Promise<Received> {
    const other = this.host.place.end === 'client' ? 'server' : 'client';
    const done = this.#begin(count === undefined ? 'receive to the end' : `receive ${count}`);
    const ms = options.patienceMs ?? this.patience(count ?? 1e7);
    const args = [this.fd, count ?? null, seeds[other], this.#received, 0, ms];
    const got = await this.#agent.call<{ bytes: number; wrong: number; end: string | number }>(
      'receive',
      ...args,
    );
    const end = typeof got.end === 'number' ? resultText(got.end) : got.end;
    this.#received += got.bytes;
    done(`${got.bytes} bytes, ${end}${got.wrong < 0 ? '' : `, byte ${got.wrong} of the stream is wrong`}`);
    return { bytes: got.bytes, end };
  }

  /** MSG_OOB: takes the urgent byte out of the stream, as soon as one is announced. */
  async receiveUrgent(): Promise<string> {
    const done = this.#begin('receive the urgent byte');
    const got = await this.#agent.call<{ byte: number } | number>('urgentByte', this.fd, 1000);
    if (typeof got === 'number') return done(resultText(got));
    this.#received++;
    return done(`byte ${got.byte}`);
  }

  atMark(): Promise<string> {
    return this.#simple('sockatmark', 'atMark', this.fd);
  }

  /** SHUT_WR, unless told otherwise. */
  async shutdown(how: 'read' | 'write' | 'both' = 'write'): Promise<string> {
    await this.#tell();
    return this.#simple(`shutdown ${how}`, 'shutdown', this.fd, how);
  }

  async close(): Promise<string> {
    await this.#tell();
    this.host.forget(this.fd);
    return this.#simple('close', 'close', this.fd);
  }

  /** SO_LINGER with 0 seconds, then close: a reset. */
  async reset(): Promise<string> {
    await this.set('SO_LINGER', 1, 0);
    return this.close();
  }

  set(option: string, ...values: number[]): Promise<string> {
    return this.#simple(`${option} := ${values.join(' ')}`, 'setOption', this.fd, option, ...values);
  }

  get(option: string): Promise<string> {
    return this.#simple(option, 'getOption', this.fd, option);
  }

  /** SO_ERROR, which reading clears. */
  pendingError(): Promise<string> {
    return this.#simple('SO_ERROR', 'error', this.fd);
  }

  /** Waits until the connection is in this state; the state that it is in then. */
  async state(state: string, ms = patienceMs): Promise<string> {
    const done = this.#begin(`wait for ${state}`);
    const got = await this.#agent.call<string | number>('state', this.fd, [state], ms);
    return done(typeof got === 'number' ? resultText(got) : got);
  }

  /** Waits until `count` bytes have come that nobody has read. */
  async unread(count: number): Promise<string> {
    const done = this.#begin(`wait for ${count} unread bytes`);
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const got = await this.#agent.call<number>('unread', this.fd);
      if (got >= count || Date.now() > deadline) return done(String(got));
    }
  }

  /** Bytes that the other end has not acknowledged, now. */
  unacknowledged(): Promise<number> {
    return this.#agent.call<number>('unacknowledged', this.fd);
  }

  /** Waits until all that was sent is acknowledged. */
  async acknowledged(): Promise<string> {
    const done = this.#begin('wait for the acknowledgement');
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const left = await this.unacknowledged();
      if (left === 0 || Date.now() > deadline) return done(`${left} bytes left`);
    }
  }

  /** TCP_INFO, for what a scenario wants to wait for; only `info()` before the end is compared. */
  peek(): Promise<TcpInfo> {
    return this.#agent.call<TcpInfo>('info', this.fd);
  }

  /** Puts what TCP_INFO says into the transcript. Happens by itself before the first shutdown or close. */
  async info(): Promise<void> {
    const done = this.#begin('TCP_INFO');
    const info = await this.peek();
    done(
      typeof info === 'number'
        ? resultText(info)
        : comparedInfo.map((key) => `${key} ${info[key]}`).join(', '),
    );
  }

  async #tell(): Promise<void> {
    if (this.#told) return;
    this.#told = true;
    await this.info();
  }

  async #simple(text: string, call: string, ...args: unknown[]): Promise<string> {
    const done = this.#begin(text);
    return done(resultText(await this.#agent.call<number>(call, ...args)));
  }

  #begin(call: string): (result: string) => string {
    const done = this.host.place.transcript.begin(this.host.place.end, call);
    return (result) => {
      done(result);
      return result;
    };
  }

  get #agent(): Agent {
    return this.host.place.agent;
  }

  /** 5 s, and a second more for each MB. */
  private patience(count: number): number {
    return patienceMs + count / 1000;
  }
}
