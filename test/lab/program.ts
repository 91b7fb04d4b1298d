import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** The lines that a process prints, kept and waited for. */
export class Lines {
  readonly all: string[] = [];
  readonly #waiting: { test: (line: string) => boolean; found: (line: string) => void }[] = [];

  constructor(stream: Readable | null) {
    if (!stream) throw new Error('the process has no stdout to read');
    createInterface({ input: stream }).on('line', (line) => {
      this.all.push(line);
      for (const waiter of [...this.#waiting]) {
        if (!waiter.test(line)) continue;
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        waiter.found(line);
      }
    });
  }

  /** The first line, old or new, that passes. `from`: lines before it don't count. */
  until(test: (line: string) => boolean, from = 0): Promise<string> {
    const old = this.all.slice(from).find(test);
    if (old !== undefined) return Promise.resolve(old);
    return new Promise((found) => this.#waiting.push({ test, found }));
  }
}

/** A program of test/programs that runs until it is stopped. */
export class Program {
  readonly lines: Lines;
  #stderr = '';
  readonly #exit: Promise<void>;

  constructor(
    readonly name: string,
    readonly child: ChildProcess,
  ) {
    this.lines = new Lines(child.stdout);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.#exit = new Promise((resolve) => child.once('close', () => resolve()));
  }

  /** The first line that passes; a program that ends before has failed. */
  async line<T = unknown>(test: (line: string) => boolean = () => true, from = 0): Promise<T> {
    const line = await Promise.race([this.lines.until(test, from), this.#exit]);
    if (line === undefined) throw new Error(`${this.name} ended: ${this.#stderr}`);
    return JSON.parse(line) as T;
  }

  /** Asks for its report (SIGUSR2). */
  async report<T>(): Promise<T> {
    const from = this.lines.all.length;
    this.child.kill('SIGUSR2');
    return this.line<T>((line) => line.startsWith('{"seen"') || line.startsWith('{"ended"'), from);
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.#exit;
  }
}
