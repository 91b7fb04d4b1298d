/** The running engine, as a new one that is to replace it sees it. docs/manual/upgrade.md draws the hand-over. */

import { setTimeout as sleep } from 'node:timers/promises';
import { mmapShared } from '../../kernel/ffi.js';
import { OtherProcess } from '../../kernel/pidfd.js';
import { close } from '../../kernel/socket.js';
import { EngineError } from '../errors.js';
import { KeptTable } from '../keep/table.js';
import { Config } from '../layout.js';
import { connectToHolder } from '../lock.js';
import { Channel, type FromNew, type FromOld, type Frozen, layout, type Welcome } from './channel.js';
import { faultPoint, isFaulty } from './fault.js';
import { version } from './version.js';

/** An old engine answers at once; one that freezes has to read what it holds first. */
const ANSWER_MS = 5000;
/** How long a process may take to die. */
const END_MS = 1000;
/** How long a lock may outlive an engine that is being killed. */
const DYING_MS = 1000;

/** Maps that go on. The configuration is each engine's own, so that both can be at work. */
const sharedMaps = ['handshakes', 'flows', 'counters', 'unsupported', 'fragments'] as const;

export class RunningEngine {
  readonly #channel: Channel<FromOld, FromNew>;
  readonly #process: OtherProcess;
  readonly #table: { current: KeptTable | null; offer: number } = { current: null, offer: 0 };
  #closed = false;
  #wasLost = false;
  #waiting: { resolve: (message: FromOld) => void; reject: (error: Error) => void } | null = null;
  #welcome!: Welcome;
  /** Those that keep its descriptors when it is killed. */
  #keepers: OtherProcess[] = [];
  #onGone: () => void = () => {};

  private constructor(socket: ConstructorParameters<typeof Channel>[0]) {
    this.#channel = new Channel(
      socket,
      (message) => {
        this.#waiting?.resolve(message);
        this.#waiting = null;
      },
      () => {
        this.#waiting?.reject(gone());
        this.#waiting = null;
        this.#onGone();
      },
    );
    this.#process = new OtherProcess(this.#channel.peer.pid);
  }

  /** Null: none is running in this network namespace. Throws when it cannot be replaced by this one; it goes on then. */
  static async find(interfaces: readonly string[]): Promise<RunningEngine | null> {
    const socket = await connectToHolder();
    if (!socket) return null;
    const running = new RunningEngine(socket);
    try {
      const told = isFaulty('layout') ? 'another' : layout;
      const answer = await running.#ask({ type: 'hello', layout: told, version });
      if (answer.type !== 'welcome') throw refused('it did not answer as expected');
      running.#welcome = answer;
      if (answer.pid !== running.pid) throw refused('it lives in another namespace of process ids');
      const missing = answer.interfaces.filter((name) => !interfaces.includes(name));
      if (missing.length > 0) {
        throw new EngineError(
          'REPLACE',
          `the running engine also watches ${missing.join(', ')}, by which its flows come in; it goes on`,
          'name that, too, or stop the running engine first',
        );
      }
      faultPoint('asked');
      return running;
    } catch (error) {
      running.close();
      throw error;
    }
  }

  /** True once nobody holds the lock any more. */
  static async isGone(): Promise<boolean> {
    for (const end = performance.now() + DYING_MS; performance.now() < end; await sleep(20)) {
      const socket = await connectToHolder();
      if (!socket) return true;
      socket.destroy();
    }
    return false;
  }

  get pid(): number {
    return this.#channel.peer.pid;
  }
  get welcome(): Welcome {
    return this.#welcome;
  }
  /** It has closed the connection, or is dead; after `close()`, whether it had then. */
  get isLost(): boolean {
    return this.#closed ? this.#wasLost : this.#channel.closed || this.#process.wait(0);
  }

  #ask(message: FromNew): Promise<FromOld> {
    return new Promise((resolve, reject) => {
      if (this.isLost) {
        reject(gone());
        return;
      }
      const late = setTimeout(
        () => reject(refused(`it did not answer within ${ANSWER_MS / 1000} s`)),
        ANSWER_MS,
      );
      const settled =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(late);
          then(value);
        };
      this.#waiting = {
        resolve: settled((answer: FromOld) => {
          if (answer.type === 'refused') reject(refused(answer.why));
          else resolve(answer);
        }),
        reject: settled(reject),
      };
      this.#channel.send(message);
    });
  }

  /** Copies of the maps that go on: the caller's to close. */
  maps(): Record<string, number> {
    return Object.fromEntries(sharedMaps.map((name) => [name, this.copy(this.welcome.maps[name] ?? -1)]));
  }

  copy(fd: number): number {
    const copied = this.#process.copy(fd);
    if (copied < 0) throw gone();
    return copied;
  }

  /** Its ports that are looked at, as a bit map that it goes on changing. */
  ports(): Uint8Array {
    const fd = this.copy(this.welcome.maps.config ?? -1);
    const bytes = new Uint8Array(mmapShared(fd, Config.bytes), Config.ports, 8192);
    close(fd);
    return bytes;
  }

  /** From here on it does nothing, until `take`, or until it has no patience any more. */
  async freeze(): Promise<{ workers: Frozen['workers']; table: KeptTable }> {
    const answer = await this.#ask({ type: 'freeze' });
    if (answer.type !== 'frozen') throw refused('it did not answer as expected');
    const first = answer.workers[0] as Frozen['workers'][number];
    const holder = new OtherProcess(first.pid);
    const fd = holder.copy(first.memfd);
    holder.close();
    const table = fd < 0 ? null : KeptTable.open(fd);
    if (fd >= 0) close(fd);
    if (!table) throw gone();
    this.#keepers = answer.workers
      .filter(({ pid }) => pid !== this.pid)
      .map(({ pid }) => new OtherProcess(pid));
    Object.assign(this.#table, { current: table, offer: answer.offer });
    return { workers: answer.workers, table };
  }

  /** The flows are ours from here on, whatever becomes of the old engine. False: it had no more patience, and goes on. */
  take(): boolean {
    return this.#table.current?.takeOffer(this.#table.offer) === true;
  }

  /** Calls `then` when its process has ended, and ends its keepers, which it had no time for if it was killed. */
  whenGone(then: () => void): void {
    this.#onGone = () => {
      this.#onGone = () => {};
      // Its sockets go one after the other.
      this.#process.wait(END_MS);
      for (const keeper of this.#keepers) keeper.end(END_MS);
      then();
      this.close();
    };
    if (this.isLost) this.#onGone();
  }

  /** It may go. */
  done(gapMs: number): void {
    if (!this.isLost) this.#channel.send({ type: 'done', gapMs });
  }

  close(): void {
    if (this.#closed) return;
    this.#wasLost = this.isLost;
    this.#closed = true;
    for (const process of this.#keepers.splice(0)) process.close();
    this.#process.close();
    this.#channel.close();
  }
}

const gone = (): EngineError =>
  new EngineError('REPLACE', 'the running engine ended, or went on, while this one took its place');

const refused = (why: string): EngineError =>
  new EngineError(
    'REPLACE',
    `the running engine can't be replaced, and goes on: ${why}`,
    'stop it, which releases its flows, and start this one then',
  );
