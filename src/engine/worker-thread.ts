/** A worker as the main thread sees it: its mail, its counters, and how it ends. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { eventfd, ring } from '../kernel/eventfd.js';
import { close } from '../kernel/socket.js';
import type { Counters } from './counters.js';
import type { FromWorker, ToWorker, WorkerData } from './messages.js';

const STOP_MS = 2000;

export class WorkerThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  /** Below 0: nobody reads its mail any more. */
  #wake: number;
  #state: 'starting' | 'running' | 'stopping' | 'dead' = 'starting';

  private constructor(
    data: Omit<WorkerData, 'wake'>,
    readonly counters: Counters,
  ) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#wake = eventfd();
    const workerData: WorkerData & { port: MessagePort } = { ...data, wake: this.#wake, port: port2 };
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, transferList: [port2] });
  }

  /**
   * Resolves when it is ready; rejects when it ended before. `onDeath`: it ended later, which it does not do by itself: an error, or
   * a decision that called process.exit().
   */
  static start(
    data: Omit<WorkerData, 'wake'>,
    counters: Counters,
    onMessage: (thread: WorkerThread, message: FromWorker) => void,
    onDeath: (error: Error) => void,
  ): Promise<WorkerThread> {
    const thread = new WorkerThread(data, counters);
    return new Promise((resolve, reject) => {
      const die = (error: Error): void => {
        const state = thread.#state;
        if (state === 'stopping' || state === 'dead') return;
        thread.#state = 'dead';
        thread.#silence();
        if (state === 'starting') reject(error);
        else onDeath(error);
      };
      thread.#worker.once('error', die);
      thread.#worker.once('exit', (code) => die(new Error(`an engine worker ended with code ${code}`)));
      thread.#port.on('message', (message: FromWorker) => {
        onMessage(thread, message);
        if (message.type !== 'ready') return;
        thread.#state = 'running';
        resolve(thread);
      });
    });
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  /** In vain when it has ended. */
  send(message: ToWorker): void {
    if (this.#wake < 0) return;
    this.#port.postMessage(message);
    ring(this.#wake);
  }

  async stop(): Promise<void> {
    if (this.#state === 'dead') return;
    this.#state = 'stopping';
    this.send({ type: 'stop' });
    await Promise.race([
      new Promise((resolve) => this.#worker.once('exit', resolve)),
      new Promise((resolve) => setTimeout(resolve, STOP_MS).unref()),
    ]);
    await this.#worker.terminate();
    this.#silence();
  }

  /** Its descriptor's number may soon be somebody else's. */
  #silence(): void {
    this.#port.close();
    if (this.#wake >= 0) close(this.#wake);
    this.#wake = -1;
  }
}
