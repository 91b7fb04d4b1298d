/** The running engine's half of a hand-over: who may take its place, and how it goes on if nobody does. docs/manual/upgrade.md
 *  draws it. */
import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeptTable } from '../keep/table.js';
import type { LogEvent } from '../options.js';
import { Channel, type FromNew, type FromOld, type FrozenWorker, layout, type Welcome } from './channel.js';
import { faultPoint } from './fault.js';
import { version } from './version.js';

/** How long flows may stand still for a new engine: ends that hear nothing for longer begin to wonder. Each flow takes some time,
 *  about a third of this. */
const PATIENCE_MS = 2000;
const PATIENCE_FOR_FLOW_MS = 0.1;

/** How long an engine that stops waits for one that was about to take its place. */
const LEAVING_MS = 5000;

/** What the engine does for it. */
export interface Replaceable {
  /** Why it can't be replaced now; null: it can. */
  unfit(): string | null;
  welcome(): Omit<Welcome, 'type' | 'pid' | 'version'>;
  /** Stops the workers. */
  freeze(): Promise<{ table: KeptTable; workers: FrozenWorker[] }>;
  /** The workers go on; the kernel's programs are ours again. */
  thaw(): void;
  /** A new engine that was to take over is gone: the kernel's programs are ours, whatever it has done since, and what keeps
   *  copies of our descriptors for it ends. */
  cleanAfter(): void;
  /** The flows are the new engine's. */
  leave(to: { pid: number; gapMs: number | null }): void;
}

type ToNew = Channel<FromNew, FromOld>;

export class HandingOver {
  /** Whoever is about to take our place. */
  #successor: ToNew | null = null;
  #offer: { table: KeptTable; number: number; late: NodeJS.Timeout } | null = null;
  /** It was asked to freeze: then nobody else is welcome until this one has gone. */
  #frozen = false;
  #freezing = false;
  /** The flows are another engine's. */
  isOver = false;

  constructor(
    readonly lock: net.Server,
    readonly engine: Replaceable,
    readonly log: (event: LogEvent) => void,
  ) {
    lock.on('connection', (socket) => this.#welcome(socket));
  }

  #welcome(socket: net.Socket): void {
    const channel: ToNew = new Channel(
      socket,
      (message) => {
        this.#onMessage(channel, message).catch((error: Error) => {
          channel.send({ type: 'refused', why: error.message });
        });
      },
      () => this.#onClose(channel),
    );
    // Anybody in this network namespace can connect.
    if (channel.peer.uid !== 0) channel.close();
  }

  async #onMessage(channel: ToNew, message: FromNew): Promise<void> {
    if (message.type === 'hello') {
      const why = this.#whyNot(channel, message);
      if (why !== null) {
        channel.send({ type: 'refused', why });
        return;
      }
      this.#successor = channel;
      channel.send({ type: 'welcome', pid: process.pid, version, ...this.engine.welcome() });
    } else if (channel !== this.#successor) channel.close();
    else if (message.type === 'freeze') await this.#freeze(channel);
    else this.withdraw(message);
  }

  #whyNot(channel: ToNew, hello: Extract<FromNew, { type: 'hello' }>): string | null {
    if (this.#successor && this.#successor !== channel)
      return `process ${this.#successor.peer.pid} is just taking its place`;
    if (this.#freezing) return 'it has just been asked by another process';
    if (hello.layout !== layout) {
      return `it is of version ${version}, whose layout (${layout}) is not that of version ${hello.version} (${hello.layout})`;
    }
    return this.engine.unfit();
  }

  async #freeze(channel: ToNew): Promise<void> {
    if (this.#frozen) throw new Error('it was asked twice');
    const why = this.engine.unfit();
    if (why !== null) throw new Error(why);
    this.#frozen = true;
    this.#freezing = true;
    try {
      const { table, workers } = await this.engine.freeze();
      faultPoint('oldFrozen');
      const late = this.engine.unfit();
      if (late !== null) throw new Error(late);
      const number = table.offer();
      const flows = workers.reduce((sum, { used }) => sum + used, 0);
      const patience = PATIENCE_MS + flows * PATIENCE_FOR_FLOW_MS;
      this.#offer = { table, number, late: setTimeout(() => this.withdraw(), patience) };
      if (channel.closed) this.withdraw();
      else channel.send({ type: 'frozen', offer: number, workers });
    } catch (error) {
      this.engine.thaw();
      throw error;
    } finally {
      this.#freezing = false;
    }
  }

  /** We go on, unless the new engine was quicker: then it has said so (`done`), or has just died. */
  withdraw(done: Extract<FromNew, { type: 'done' }> | null = null): void {
    const offer = this.#offer;
    if (!offer) return;
    this.#offer = null;
    clearTimeout(offer.late);
    if (!offer.table.withdrawOffer(offer.number)) {
      this.#leave(done);
      return;
    }
    this.engine.thaw();
    this.log({
      level: 'warn',
      event: 'replaceFailed',
      message: 'a new engine did not come to take over: this one goes on',
    });
  }

  /** This engine stops (`unfit` says so by now): flows that are on offer are its own again. */
  async stop(): Promise<void> {
    while (this.#freezing) await sleep(5);
    this.withdraw();
  }

  /** Nobody takes our place any more. Resolves when who was about to has gone: it may have been attaching its programs. */
  async end(): Promise<void> {
    // Who has taken it sees by the connection when this process has ended.
    if (this.isOver) return;
    const end = performance.now() + LEAVING_MS;
    while (this.#successor && performance.now() < end) await sleep(20);
    this.#successor?.close();
    this.#successor = null;
  }

  #onClose(channel: ToNew): void {
    if (channel !== this.#successor) return;
    this.withdraw();
    this.#successor = null;
    this.#frozen = false;
    if (!this.isOver) this.engine.cleanAfter();
  }

  #leave(done: Extract<FromNew, { type: 'done' }> | null): void {
    faultPoint('oldReplaced');
    this.isOver = true;
    this.lock.close();
    this.engine.leave({ pid: this.#successor?.peer.pid ?? 0, gapMs: done?.gapMs ?? null });
  }
}
