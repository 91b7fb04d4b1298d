/** The ends of a scenario as ordinary hosts: sockets by system calls, each with its result in the transcript. */

import { seeds } from '../../../src/audit/socket.js';
import type { protocols } from '../../../src/kernel/host_socket.js';
import type { Agent } from './agent.js';
import { Link } from './link.js';
import { Losses } from './losses.js';
import { type Place, patienceMs } from './place.js';
import { Socket } from './socket.js';
import { Sysctls } from './sysctls.js';
import { resultText } from './transcript.js';

/** Options set before bind: `{ TCP_MAXSEG: 536 }`; an array for values of two words. */
export type SocketOptions = Record<string, number | number[]>;

/** A further address of an end. */
export interface Alias {
  address: string;
}

interface SocketKind {
  options?: SocketOptions;
  protocol?: keyof typeof protocols;
  /** Signs all segments to and from the other end (RFC 2385). */
  md5Key?: string;
}

export interface ConnectOptions extends SocketKind {
  /** `raw`: the server without a kernel; else one of the server's further addresses. */
  to?: 'host' | 'raw' | Alias;
  /** TCP Fast Open (RFC 7413): so many bytes of the stream go into the SYN, if the kernel has a cookie. */
  fastOpen?: number;
  /** The client's own port; default: the kernel's choice. */
  fromPort?: number;
  /** IPv6 only; 0: the kernel's choice. */
  flowLabel?: number;
  patienceMs?: number;
}

export class Host {
  readonly #open = new Set<number>();

  readonly #aliases: Alias[] = [];

  readonly #sysctls: Sysctls;
  /** What is lost on its way to this end, in sight of its capture. */
  readonly losses: Losses;
  readonly link: Link;

  constructor(readonly place: Place) {
    this.#sysctls = new Sysctls(place.agent);
    this.losses = new Losses(place);
    this.link = new Link(place);
  }

  /** Listens on the scenario's port. Options are inherited by what is accepted. */
  async listen({
    backlog = 16,
    at = this.place,
    ...kind
  }: SocketKind & { backlog?: number; at?: Alias } = {}): Promise<Listener> {
    const { agent, family, port } = this.place;
    const fd = await this.#socket(kind);
    await this.must('setOption', fd, 'SO_REUSEADDR', 1);
    await this.must('bind', fd, family, at.address, port);
    await this.must('listen', fd, backlog);
    this.place.transcript.note(this.place.end, 'listen', '0');
    return new Listener(this, agent, fd);
  }

  /** Connects to the scenario's port. A refused connection is a result too: see `error`. */
  async connect(options: ConnectOptions = {}): Promise<Socket> {
    const { agent, address, end, family, port, transcript } = this.place;
    const { to = 'host' } = options;
    const peer = to === 'raw' ? this.place.rawPeer : to === 'host' ? this.place.peer : to.address;
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

  /** Gives this end so many further addresses, for the rest of the scenario. */
  async aliases(count: number): Promise<Alias[]> {
    const { agent, address, family } = this.place;
    for (let i = 0; i < count; i++) {
      const each = { address: address.replace(/2$/, String(150 + i)) };
      this.#aliases.push(each);
      await agent.call('ip', 'addr', 'add', each.address, 'dev', 'eth0', ...(family === 6 ? ['nodad'] : []));
    }
    return [...this.#aliases];
  }

  /** Sets sysctls of this end for the rest of the scenario: `sysctl('ipv4/tcp_timestamps', 0)`. */
  sysctl(path: string, value: string | number): Promise<void> {
    return this.#sysctls.sysctl(path, value);
  }

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
    await this.losses.end();
    for (const fd of this.#open) {
      await agent.call('setOption', fd, 'SO_LINGER', 1, 0);
      await agent.call('close', fd);
    }
    this.#open.clear();
    for (const { address } of this.#aliases.splice(0))
      await agent.call('ip', 'addr', 'del', address, 'dev', 'eth0');
    await this.#sysctls.restore();
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
