import type { Agent } from './agent.js';

/** Settings of a namespace, until the scenario is over. */
export class Sysctls {
  readonly #before = new Map<string, string>();

  constructor(readonly agent: Agent) {}

  async sysctl(path: string, value: string | number): Promise<void> {
    const before = await this.agent.call<string>('sysctl', path, value);
    if (!this.#before.has(path)) this.#before.set(path, before);
  }

  async restore(): Promise<void> {
    for (const [path, value] of this.#before) await this.agent.call('sysctl', path, value);
    this.#before.clear();
  }
}
