/**
 * Segments that never reach the kernel of an end: nft at the netdev hook `ingress` of its interface. Not at the way out of
 * the middle, where a socket of the middle would learn of it (NET_XMIT_DROP) and a router would not. The capture
 * comes before the hook, so that it shows what was lost.
 */
import type { Agent } from './agent.js';
import { type Place, patienceMs } from './place.js';

/** `data`: more of it than headers are long. */
type Kind = 'data' | 'fin' | 'rst';

const matches: Record<Kind, string> = {
  // Ethernet, IPv6 and all that TCP options can be are 114 bytes.
  data: 'meta length > 200',
  fin: 'tcp flags & fin == fin',
  rst: 'tcp flags & rst == rst',
};

export class Losses {
  readonly #agent: Agent;
  readonly #table: string;
  readonly #segments: string;
  #on = false;

  constructor({ agent, end, port }: Place) {
    this.#agent = agent;
    this.#table = `netdev lost${port}`;
    this.#segments = `tcp ${end === 'server' ? 'dport' : 'sport'} ${port}`;
  }

  /** From now on these are lost, until `end`. */
  async begin(...kinds: Kind[]): Promise<void> {
    const rules = kinds.map((kind) => `${this.#segments} ${matches[kind]} counter name lost drop`);
    const hook = 'type filter hook ingress device "eth0" priority 0; policy accept;';
    const chain = [hook, ...rules].join('\n');
    this.#on = true;
    await this.#agent.call('nft', `table ${this.#table} {\ncounter lost {}\nchain in {\n${chain}\n}\n}\n`);
  }

  /** Waits until so many have been lost. */
  async seen(count = 1): Promise<void> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const text = await this.#agent.call<string>('nft', `list counter ${this.#table} lost\n`);
      if (Number(/packets (\d+)/.exec(text)?.[1]) >= count) return;
      if (Date.now() > deadline) throw new Error(`${count} segments should have been lost: ${text}`);
    }
  }

  async end(): Promise<void> {
    if (!this.#on) return;
    this.#on = false;
    // Deleting what is not there would fail, and adding what is there changes nothing.
    await this.#agent.call('nft', `add table ${this.#table}\ndelete table ${this.#table}\n`);
  }
}
