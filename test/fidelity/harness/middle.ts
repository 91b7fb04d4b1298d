/** What a scenario may know of the middle: the two sockets that stand there in the ends' place. */
import type { Agent } from './agent.js';
import type { End } from './place.js';
import { Sysctls } from './sysctls.js';

/** One of our sockets, as `ss -i` shows it. */
export interface Leg {
  pathMtu: number;
  mss: number;
  advertisedMss: number;
  /** The shortest round trip that it has seen, in ms. */
  shortestRoundTrip: number;
  /** What the end that it faces has said it can take. */
  sendWindow: number;
}

export class Middle {
  readonly #sysctls: Sysctls;

  constructor(
    readonly agent: Agent,
    readonly port: number,
    /** False under plain forwarding: there is nothing in the middle. */
    readonly engine: boolean,
  ) {
    this.#sysctls = new Sysctls(agent);
  }

  /** Sets a sysctl of the middle for the rest of the scenario. */
  sysctl(path: string, value: string | number): Promise<void> {
    return this.#sysctls.sysctl(path, value);
  }

  clean(): Promise<void> {
    return this.#sysctls.restore();
  }

  /** The socket that faces this end; null under plain forwarding, or when there is none. */
  async leg(end: End): Promise<Leg | null> {
    if (!this.engine) return null;
    const filter = `${end === 'client' ? 'sport' : 'dport'} = :${this.port}`;
    const text = await this.agent.call<string>('socketDetails', filter);
    const line = text.split('\n').find((each) => each !== '');
    if (!line) return null;
    const number = (name: string) => Number(new RegExp(`\\b${name}:([\\d.]+)`).exec(line)?.[1] ?? 0);
    return {
      pathMtu: number('pmtu'),
      mss: number('mss'),
      advertisedMss: number('advmss'),
      shortestRoundTrip: number('minrtt'),
      sendWindow: number('snd_wnd'),
    };
  }

  /** Whether it is true of the socket that faces this end; true under plain forwarding. */
  async legIs(end: End, truth: (leg: Leg) => boolean): Promise<boolean> {
    if (!this.engine) return true;
    const deadline = Date.now() + 1000;
    for (;;) {
      const leg = await this.leg(end);
      if (leg && truth(leg)) return true;
      if (Date.now() > deadline) {
        if (process.env.DESPLICE_FIDELITY_SHOW === '1') console.log(`leg to the ${end}:`, leg);
        return false;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
