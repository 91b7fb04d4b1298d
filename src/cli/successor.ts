import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { notifySuccessor } from './notify.js';
import type { Reporter } from './reporter.js';

/** SIGUSR2: the program on disk, maybe of another version, is started in this one's place. */
export class Successor {
  #starting = false;
  /** Process id of the engine that has taken over; 0: none. */
  #pid = 0;

  constructor(readonly reporter: Reporter) {}

  /**
   * By a shell that ends at once: the new engine is then a child of whoever looks after orphans, which is the service
   * manager where there is one. One that is not its child systemd would not wait for when the service stops.
   */
  start(): void {
    if (this.#pid > 0) return;
    if (this.#starting) {
      this.#say('warn', 'a new engine is being started already');
      return;
    }
    this.#starting = true;
    this.#say('info', 'SIGUSR2: starting the program on disk in place of this one');
    const args = process.argv.slice(1).filter((arg) => arg !== '--replace');
    const command = [process.execPath, ...process.execArgv, ...args, '--replace'];
    const shell = spawn('/bin/sh', ['-c', '"$@" &', 'sh', ...command], {
      stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    });
    shell.once('error', (error) => this.#failed(`could not be started: ${error.message}`));
    shell.unref();
    // The new engine has it, too, and says nothing: it ends with that.
    const alive = shell.stdio[3] as Socket;
    alive.resume().once('close', () => this.#failed('has ended'));
    alive.unref();
  }

  #failed(why: string): void {
    if (this.#starting && this.#pid === 0) this.#say('error', `the new engine ${why}; this one goes on`);
    this.#starting = false;
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
