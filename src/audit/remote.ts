/** The other end, by the control connection. Every question has a time limit: a box that swallows an answer is reported. */
import type { Channel } from './channel.js';
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
import type { Way } from './way.js';
import { microseconds, type Ports, type Tapped } from './wiretap.js';

/** Beyond what a call itself may take. */
const usualAnswerMs = 8000;
const pingMs = 10_000;
/** No call of a case waits longer by itself. */
const longestCallMs = 12_000;
const clockTries = 5;
const manglers = 'something in the path changes the bytes, or it is no `audit serve`';

export class RemoteEnd implements End {
  readonly #waiting = new Map<number, { done: (value: unknown) => void; failed: (error: Error) => void }>();
  readonly #listeners = new Map<number, (packet: Uint8Array, gsoSize: number) => void>();
  readonly #ping: NodeJS.Timeout;
  #next = 1;
  #closed = false;
  /** Set once: what became of the connection. */
  broken: AuditError | null = null;

  private constructor(
    readonly channel: Channel,
    readonly welcome: Welcome,
    readonly answerMs: number,
  ) {
    this.#ping = setInterval(() => void this.#ask('ping', [], 0).catch(() => {}), pingMs);
    this.#ping.unref();
  }

  static async connect(way: Way, version: string, answerMs = usualAnswerMs): Promise<RemoteEnd> {
    const mine: Greeting = { audit: protocolVersion, desplice: version };
    const failure = (code: string, what: string, mend = way.hint) =>
      new AuditError(code, `the control connection ${way.name}: ${what}`, mend);
    const channel = await way.open().catch((error: unknown) => {
      throw error instanceof AuditError ? failure(error.code, error.message) : error;
    });
    return new Promise((resolve, reject) => {
      const fail = (...why: Parameters<typeof failure>) => {
        clearTimeout(timer);
        channel.close();
        reject(failure(...why));
      };
      const { greetingMs } = way;
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
          const path = { client: channel.localAddress, server: channel.remoteAddress };
          say(channel, { ...mine, path } satisfies Greeting);
          end = new RemoteEnd(channel, welcome, answerMs);
          resolve(end);
        },
        (why) => {
          if (end) end.#break('MANGLED', `what came is mangled: ${why}`);
          else fail('MANGLED', `what came is mangled: ${why}`, manglers);
        },
      );
      channel.listen(
        (text) => reader.feed(text),
        (why) => (end ? end.#break('BROKEN', why) : fail('CONNECT', `${why} before a greeting came`)),
      );
    });
  }

  get address(): string {
    return this.channel.remoteAddress;
  }
  get localAddress(): string {
    return this.channel.localAddress;
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

  /** How many segments of the control connection itself the path has lost, both ways. */
  async losses(): Promise<number> {
    if (this.broken) return 0;
    const theirs = await this.#ask('losses', [], 0).catch(() => 0);
    return Number(theirs) + this.channel.losses();
  }

  /**
   * How far the clock over there is ahead of ours, in microseconds, from the quickest of a few answers. 0 where that is no more than
   * the answer took: then they may as well be one clock, and in a lab they are.
   */
  async clockAhead(): Promise<number> {
    let best = { took: Number.POSITIVE_INFINITY, ahead: 0 };
    for (let i = 0; i < clockTries; i++) {
      const asked = microseconds();
      const theirs = Number(await this.#ask('clock', [], 0));
      const took = microseconds() - asked;
      if (took < best.took) best = { took, ahead: theirs - (asked + took / 2) };
    }
    return Math.abs(best.ahead) <= best.took ? 0 : Math.round(best.ahead);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#ping);
    this.channel.close();
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
      say(this.channel, { id, call, args });
    });
  }

  #hear(line: Record<string, unknown>): void {
    if (typeof line.packet === 'string') {
      const packet = Buffer.from(line.packet, 'hex');
      this.#listeners.get(Number(line.port))?.(packet, Number(line.gsoSize));
      return;
    }
    if (typeof line.refused === 'string') {
      this.#break('REFUSED', line.refused);
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
      code === 'REFUSED'
        ? 'name an address of the machine where `audit serve` runs'
        : 'the box may intercept this connection too: let its port pass, choose another --control-port, or go past it by --control';
    this.broken = new AuditError(code, `the control connection to ${this.address} broke: ${why}`, hint);
    clearInterval(this.#ping);
    this.channel.close();
    for (const { failed } of this.#waiting.values()) failed(this.broken);
    this.#waiting.clear();
  }
}

function isPorts(ports: unknown): ports is Ports {
  const { first, last } = (ports ?? {}) as Partial<Ports>;
  return Number.isInteger(first) && Number.isInteger(last) && (last as number) - (first as number) >= 15;
}
