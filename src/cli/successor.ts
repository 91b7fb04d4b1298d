import { type ChildProcess, spawn } from 'node:child_process';
import { notifySuccessor } from './notify.js';
import type { Reporter } from './reporter.js';

/** SIGUSR2: the program on disk, maybe of another version, is started in this one's place. */
export class Successor {
  #child: ChildProcess | null = null;
  /** Process id of the engine that has taken over; 0: none. */
  #pid = 0;

  constructor(readonly reporter: Reporter) {}

  start(): void {
    if (this.#pid > 0) return;
    if (this.#child) {
      this.#say('warn', 'a new engine is being started already');
      return;
    }
    const args = process.argv.slice(1).filter((arg) => arg !== '--replace');
    this.#say('info', 'SIGUSR2: starting the program on disk in place of this one');
    const child = spawn(process.execPath, [...process.execArgv, ...args, '--replace'], { stdio: 'inherit' });
    this.#child = child;
    const failed = (why: string): void => {
      this.#child = null;
      if (this.#pid === 0) this.#say('error', `the new engine ${why}; this one goes on`);
    };
    child.once('error', (error) => failed(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      failed(signal ? `was ended by ${signal}` : `ended with code ${code}`),
    );
    child.unref();
  }

  /** The engine of that process has taken over. */
  took(pid: number): void {
    this.#pid = pid;
  }

  /** Before this process ends. */
  async introduce(): Promise<void> {
    if (this.#pid > 0) await notifySuccessor(this.#pid);
  }

  #say(level: 'info' | 'warn' | 'error', message: string): void {
    this.reporter.log({ level, event: 'replacing', message });
  }
}
