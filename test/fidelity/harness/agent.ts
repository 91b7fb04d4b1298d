import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Lab, Role } from '../../../src/lab/index.js';

const program = fileURLToPath(new URL('agent.mjs', import.meta.url));

/** A process in the namespace of one end (agent.mjs) that makes system calls there. */
export class Agent {
  readonly #waiting = new Map<number, { done: (value: unknown) => void; failed: (error: Error) => void }>();
  readonly #frameListeners = new Map<number, (frame: Uint8Array) => void>();
  #next = 1;
  #stderr = '';
  #gone: Error | undefined;

  private constructor(
    readonly role: Role,
    readonly child: ChildProcess,
  ) {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    child.once('close', () => {
      this.#gone = new Error(`the agent of the ${role} ended: ${this.#stderr || 'it said nothing'}`);
      for (const { failed } of this.#waiting.values()) failed(this.#gone);
    });
    if (!child.stdout) throw new Error('the agent has no stdout');
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line));
  }

  static async start(lab: Lab, role: Role): Promise<Agent> {
    const child = lab.spawn(role, [process.execPath, program], {
      stdio: ['pipe', 'pipe', 'pipe'],
      // Each call that waits takes a thread of the pool.
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    });
    const agent = new Agent(role, child);
    await new Promise<void>((resolve, reject) => {
      agent.#waiting.set(0, { done: () => resolve(), failed: reject });
    });
    return agent;
  }

  call<T>(call: string, ...args: unknown[]): Promise<T> {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { done: (value) => resolve(value as T), failed: reject });
      this.child.stdin?.write(`${JSON.stringify({ id, call, args })}\n`);
    });
  }

  onFrame(fd: number, listener: (frame: Uint8Array) => void): void {
    this.#frameListeners.set(fd, listener);
  }

  #hear(line: string): void {
    const { id, value, broken, frame, fd } = JSON.parse(line);
    if (frame !== undefined) {
      this.#frameListeners.get(fd)?.(Buffer.from(frame, 'hex'));
      return;
    }
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (broken === undefined) waiter?.done(value);
    else waiter?.failed(new Error(`the agent of the ${this.role}: ${broken}`));
  }
}
