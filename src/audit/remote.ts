/** The other end, by the control connection. Every question has a time limit: a box that swallows an answer is reported. */
import { connect, type Socket } from 'node:net';
import { lossesOf, plainAddress } from './control-socket.js';
import type { End } from './end.js';
import {
  AuditError,
  disagreement,
  type Greeting,
  LineReader,
  protocolVersion,
  say,
  type Welcome,
} from './protocol.js';
import type { Ports, Tapped } from './wiretap.js';

export interface Patience {
  greetingMs: number;
  /** Beyond what a call itself may take. */
  answerMs: number;
}
const patience: Patience = { greetingMs: 8000, answerMs: 8000 };
const pingMs = 10_000;
/** No call of a case waits longer by itself. */
const longestCallMs = 12_000;

export class RemoteEnd implements End {
  readonly #waiting = new Map<number, { done: (value: unknown) => void; failed: (error: Error) => void }>();
  readonly #listeners = new Map<number, (packet: Uint8Array, gsoSize: number) => void>();
  readonly #ping: NodeJS.Timeout;
  #next = 1;
  #closed = false;
  /** Set once: what became of the connection. */
  broken: AuditError | null = null;

  private constructor(
    readonly socket: Socket,
    readonly welcome: Welcome,
    readonly answerMs: number,
  ) {
    this.#ping = setInterval(() => void this.#ask('ping', [], 0).catch(() => {}), pingMs);
    this.#ping.unref();
  }

  static async connect(
    address: string,
    port: number,
    version: string,
    { greetingMs, answerMs } = patience,
  ): Promise<RemoteEnd> {
    const mine: Greeting = { audit: protocolVersion, desplice: version };
    const socket = connect({ host: address, port });
    const where = `${address}, port ${port}`;
    const hint = 'is `desplice audit serve` running there, and does the path let this port through?';
    return new Promise((resolve, reject) => {
      const fail = (code: string, what: string, mend = hint) => {
        clearTimeout(timer);
        socket.destroy();
        reject(new AuditError(code, `the control connection to ${where}: ${what}`, mend));
      };
      const timer = setTimeout(() => fail('SILENT', `no greeting within ${greetingMs / 1000} s`), greetingMs);
      let end: RemoteEnd | null = null;
      const reader = new LineReader(
        (line) => {
          if (end) return end.#hear(line);
          const wrong = disagreement(mine, line);
          const welcome = line as unknown as Welcome;
          if (wrong) return fail('VERSION', wrong, 'run the same version at both ends');
          if (!isPorts(welcome.ports)) return fail('MANGLED', 'its greeting names no ports');
          if (welcome.busy)
            return fail('BUSY', 'the server has another client', 'wait until that one is done');
          clearTimeout(timer);
          say(socket, mine);
          end = new RemoteEnd(socket, welcome, answerMs);
          resolve(end);
        },
        (why) => {
          if (end) end.#break('MANGLED', `what came is mangled: ${why}`);
          else fail('MANGLED', `what came is mangled: ${why}`, 'something in the path changes the bytes');
        },
      );
      socket.setNoDelay(true).setEncoding('utf8');
      socket.on('data', (text: string) => reader.feed(text));
      socket.on('error', (error: NodeJS.ErrnoException) =>
        end
          ? end.#break('BROKEN', error.code ?? error.message)
          : fail('CONNECT', error.code ?? error.message),
      );
      socket.on('close', () =>
        end ? end.#break('BROKEN', 'it was closed') : fail('CONNECT', 'it was closed before a greeting came'),
      );
    });
  }

  get address(): string {
    return plainAddress(this.socket.remoteAddress);
  }
  get localAddress(): string {
    return plainAddress(this.socket.localAddress);
  }
  get ports(): Ports {
    return this.welcome.ports;
  }
  get unprivileged(): string {
    return this.welcome.unprivileged;
  }

  call<T>(name: string, ...args: unknown[]): Promise<T> {
    return this.#ask(name, args, longestCallMs) as Promise<T>;
  }

  async transmit(packet: Uint8Array): Promise<void> {
    await this.#ask('transmit', [Buffer.from(packet).toString('hex')], 0);
  }

  async hear(port: number, listener: ((packet: Uint8Array, gsoSize: number) => void) | null): Promise<void> {
    if (listener) this.#listeners.set(port, listener);
    else this.#listeners.delete(port);
    await this.#ask('hear', [port, listener !== null], 0);
  }

  async packets(port: number): Promise<Tapped[]> {
    return (await this.#ask('packets', [port], 0)) as Tapped[];
  }

  async forget(port: number): Promise<void> {
    await this.#ask('forget', [port], 0);
  }

  /** How many segments of the control connection itself were sent twice, by both ends. */
  async losses(): Promise<number> {
    if (this.broken) return 0;
    const theirs = await this.#ask('losses', [], 0).catch(() => 0);
    return Number(theirs) + lossesOf(this.socket);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#ping);
    this.socket.destroy();
  }

  #ask(call: string, args: unknown[], ms: number): Promise<unknown> {
    if (this.broken) return Promise.reject(this.broken);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        this.#break('SILENT', `no answer to \`${call}\` within ${(ms + this.answerMs) / 1000} s`);
        reject(this.broken);
      }, ms + this.answerMs);
      const settled =
        <V>(settle: (value: V) => void) =>
        (value: V) => {
          clearTimeout(timer);
          settle(value);
        };
      this.#waiting.set(id, { done: settled(resolve), failed: settled(reject) });
      say(this.socket, { id, call, args });
    });
  }

  #hear(line: Record<string, unknown>): void {
    if (typeof line.packet === 'string') {
      const packet = Buffer.from(line.packet, 'hex');
      this.#listeners.get(Number(line.port))?.(packet, Number(line.gsoSize));
      return;
    }
    const waiter = this.#waiting.get(Number(line.id));
    if (!waiter) return;
    this.#waiting.delete(Number(line.id));
    if (typeof line.failed === 'string') waiter.failed(new Error(`the server: ${line.failed}`));
    else waiter.done(line.value);
  }

  #break(code: string, why: string): void {
    if (this.broken || this.#closed) return;
    const hint =
      'the box may intercept this connection too: let its port pass, or choose another --control-port';
    this.broken = new AuditError(code, `the control connection to ${this.address} broke: ${why}`, hint);
    clearInterval(this.#ping);
    this.socket.destroy();
    for (const { failed } of this.#waiting.values()) failed(this.broken);
    this.#waiting.clear();
  }
}

function isPorts(ports: unknown): ports is Ports {
  const { first, last } = (ports ?? {}) as Partial<Ports>;
  return Number.isInteger(first) && Number.isInteger(last) && (last as number) - (first as number) >= 15;
}
