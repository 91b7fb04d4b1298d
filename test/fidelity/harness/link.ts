import type { Agent } from './agent.js';
import { type Place, patienceMs } from './place.js';

/** The link of an end, which can be taken from it: nothing arrives, and nothing that it sends leaves. */
export class Link {
  /** What the kernel forgets with the link, for `ip`; undefined: it is up. */
  #forgotten: string[][] | undefined;
  readonly #agent: Agent;

  constructor(readonly place: Place) {
    this.#agent = place.agent;
  }

  async down(): Promise<void> {
    this.#forgotten = await Promise.all(['-4', '-6'].map((family) => this.#defaultRoute(family)));
    // Known for good: else what is sent to this end waits in the middle for its link-layer address, and arrives when it is back.
    const mac = await this.#agent.call<string>('mac', 'eth0');
    await this.#neighbour('replace', 'lladdr', mac, 'nud', 'permanent');
    // IPv6 addresses go with the link unless told otherwise (addrconf_ifdown()).
    await this.#agent.call('sysctl', 'ipv6/conf/eth0/keep_addr_on_down', 1);
    await this.#agent.call('ip', 'link', 'set', 'eth0', 'down');
  }

  /** As it was. What the end still has to say to anybody, it says now. */
  async up(): Promise<void> {
    if (!this.#forgotten) return;
    await this.#agent.call('ip', 'link', 'set', 'eth0', 'up');
    for (const route of this.#forgotten) await this.#agent.call('ip', ...route);
    this.#forgotten = undefined;
    await this.#ready();
    await this.#neighbour('del');
  }

  async #defaultRoute(family: string): Promise<string[]> {
    const text = await this.#agent.call<string>('ip', family, 'route', 'show', 'default');
    const [, gateway] = /via (\S+)/.exec(text) ?? [];
    if (!gateway) throw new Error(`an end without a default route: ${text}`);
    return [family, 'route', 'replace', 'default', 'via', gateway];
  }

  async #neighbour(what: 'replace' | 'del', ...how: string[]): Promise<void> {
    const { address, end, middle } = this.place;
    await middle.call('ip', 'neigh', what, address, 'dev', `to${end}`, ...how);
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const text = await this.#agent.call<string>('ip', '-o', 'addr', 'show', 'dev', 'eth0');
      if (!text.includes('tentative') && text.includes('inet6 2001')) return;
      if (Date.now() > deadline) throw new Error(`the link did not come up: ${text}`);
    }
  }
}
