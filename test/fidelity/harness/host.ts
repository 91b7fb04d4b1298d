/** The ends of a scenario as ordinary hosts: sockets by system calls, each with its result in the transcript. */
import { messageFlags, type protocols } from '../../../src/kernel/host_socket.js';
import type { TcpInfo } from '../../../src/kernel/tcp_info.js';
import type { Agent } from './agent.js';
import { resultText, type Transcript } from './transcript.js';

export type End = 'client' | 'server';

/** What a host of one run knows. */
export interface Place {
  end: End;
  agent: Agent;
  transcript: Transcript;
  family: 4 | 6;
  /** This end's own address, and the other's. */
  address: string;
  peer: string;
  /** The raw host beside the other end. */
  rawPeer: string;
  /** The server's port in this scenario. */
  port: number;
}

/** How long a call may take before it counts as "still waiting". */
export const patienceMs = 5000;

/** Options set before bind: `{ TCP_MAXSEG: 536 }`; an array for values of two words. */
export type SocketOptions = Record<string, number | number[]>;

interface SocketKind {
  options?: SocketOptions;
  protocol?: keyof typeof protocols;
  /** Signs all segments to and from the other end (RFC 2385). */
  md5Key?: string;
}

export interface ConnectOptions extends SocketKind {
  /** `raw`: the server without a kernel. */
  to?: 'host' | 'raw';
  /** TCP Fast Open (RFC 7413): so many bytes of the stream go into the SYN, if the kernel has a cookie. */
  fastOpen?: number;
  /** The client's own port; default: the kernel's choice. */
  fromPort?: number;
  /** IPv6 only; 0: the kernel's choice. */
  flowLabel?: number;
  patienceMs?: number;
}

export interface Received {
  bytes: number;
  /** `EOF`, `enough`, `still waiting`, or the name of an error. */
  end: string;
}

export class Host {
  readonly #open = new Set<number>();

  constructor(readonly place: Place) {}

  /** Listens on the scenario's port. Options are inherited by what is accepted. */
  async listen({ backlog = 16, ...kind }: SocketKind & { backlog?: number } = {}): Promise<Listener> {
    const { agent, address, family, port } = this.place;
    const fd = await this.#socket(kind);
    await this.must('setOption', fd, 'SO_REUSEADDR', 1);
    await this.must('bind', fd, family, address, port);
    await this.must('listen', fd, backlog);
    this.place.transcript.note(this.place.end, 'listen', '0');
    return new Listener(this, agent, fd);
  }

  /** Connects to the scenario's port. A refused connection is a result too: see `error`. */
  async connect(options: ConnectOptions = {}): Promise<Socket> {
    const { agent, address, end, family, port, transcript } = this.place;
    const peer = options.to === 'raw' ? this.place.rawPeer : this.place.peer;
    const fd = await this.#socket(options);
    if (options.fromPort !== undefined) {
      await this.must('setOption', fd, 'SO_REUSEADDR', 1);
      await this.must('bind', fd, family, address, options.fromPort);
    }
    const flowLabel = family === 6 ? (options.flowLabel ?? 0) : 0;
    if (flowLabel) {
      await this.must('flowLabel', fd, peer, flowLabel);
      await this.must('setOption', fd, 'IPV6_FLOWINFO_SEND', 1);
    }
    const done = transcript.begin(end, 'connect');
    const ms = options.patienceMs ?? patienceMs;
    if (options.fastOpen !== undefined) {
      const args = [fd, family, peer, port, options.fastOpen, seeds[end], ms];
      const sent = await agent.call<number>('connectWithData', ...args);
      done(resultText(sent));
      return new Socket(this, fd, resultText(Math.min(0, sent)), Math.max(0, sent));
    }
    const result = await agent.call<number>('connect', fd, family, peer, port, flowLabel, ms);
    done(resultText(result));
    return new Socket(this, fd, resultText(result));
  }

  /** Sets sysctls of this end for the rest of the scenario: `sysctl('ipv4/tcp_timestamps', 0)`. */
  async sysctl(path: string, value: string | number): Promise<void> {
    const before = await this.place.agent.call<string>('sysctl', path, value);
    if (!this.#sysctls.has(path)) this.#sysctls.set(path, before);
  }
  readonly #sysctls = new Map<string, string>();

  async #socket({ options = {}, protocol = 'TCP', md5Key }: SocketKind): Promise<number> {
    const { family, peer } = this.place;
    const fd = await this.must('socket', family, protocol);
    this.adopt(fd);
    if (md5Key !== undefined) await this.must('md5Key', fd, family, peer, md5Key);
    for (const [name, value] of Object.entries(options)) {
      await this.must('setOption', fd, name, ...[value].flat());
    }
    return fd;
  }

  /** A call whose failure means that the scenario, not the path, is wrong. */
  async must(call: string, ...args: unknown[]): Promise<number> {
    const result = await this.place.agent.call<number>(call, ...args);
    if (result < 0) throw new Error(`${this.place.end}: ${call}(${args.join(', ')}): ${resultText(result)}`);
    return result;
  }

  adopt(fd: number): void {
    this.#open.add(fd);
  }
  forget(fd: number): void {
    this.#open.delete(fd);
  }

  /** Resets what the scenario left open, and puts the sysctls back. */
  async clean(): Promise<void> {
    const { agent } = this.place;
    for (const fd of this.#open) {
      await agent.call('setOption', fd, 'SO_LINGER', 1, 0);
      await agent.call('close', fd);
    }
    this.#open.clear();
    for (const [path, value] of this.#sysctls) await agent.call('sysctl', path, value);
    this.#sysctls.clear();
  }
}

export class Listener {
  constructor(
    readonly host: Host,
    readonly agent: Agent,
    readonly fd: number,
  ) {}

  async accept(): Promise<Socket> {
    const { end, transcript } = this.host.place;
    const done = transcript.begin(end, 'accept');
    const fd = await this.agent.call<number>('accept', this.fd, patienceMs);
    done(fd < 0 ? resultText(fd) : 'a connection');
    if (fd < 0) throw new Error(`${end}: accept: ${resultText(fd)}`);
    this.host.adopt(fd);
    return new Socket(this.host, fd, '0');
  }

  async close(): Promise<void> {
    await this.agent.call('close', this.fd);
    this.host.forget(this.fd);
  }
}

/** Streams that every scenario sends: which byte stands where is known from the sender alone. */
const seeds: Record<End, number> = { client: 1, server: 2 };

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
