/** A host without a kernel: what it sends are frames, and what it hears goes to its connections. */
import { RawConnection } from '../../../src/audit/raw-connection.js';
import type { RawPlace } from './place.js';

export class RawHost {
  readonly #connections: RawConnection[] = [];
  #fd: number | undefined;

  constructor(readonly place: RawPlace) {}

  /** One connection from or to this host. A client needs a port of its own; a server has the scenario's. */
  async connection(
    options: { port?: number; isn?: number; with?: 'host' | 'raw' } = {},
  ): Promise<RawConnection> {
    const { address, agent, end, port, transcript } = this.place;
    const fd = await this.#device();
    agent.onFrame(fd, (frame) => {
      for (const connection of this.#connections) connection.hear(frame.subarray(14));
    });
    const own = end === 'server' ? port : (options.port ?? 40_000 + this.#connections.length);
    const place = {
      end,
      address,
      peer: options.with === 'raw' ? this.place.rawPeer : this.place.peer,
      port,
      transmit: (packet: Uint8Array) => this.forge(packet),
      begin: (call: string) => transcript.begin(end, call),
    };
    const connection = new RawConnection(place, own, options.isn ?? 1_000_000);
    this.#connections.push(connection);
    return connection;
  }

  /** Sends from this host's link what a connection of any host has built. */
  async forge(packet: Uint8Array): Promise<void> {
    await this.place.agent.call('rawSend', await this.#device(), framed(packet, this.place));
  }

  async #device(): Promise<number> {
    this.#fd ??= await this.place.agent.call<number>('rawOpen', 'eth0');
    return this.#fd;
  }

  async clean(): Promise<void> {
    if (this.#fd === undefined) return;
    for (const connection of this.#connections) await connection.clean();
    await this.place.agent.call('rawClose', this.#fd);
  }
}

/** For the next hop, in hexadecimal. */
function framed(packet: Uint8Array, { gateway, mac }: RawPlace): string {
  const type = (packet[0] as number) >> 4 === 4 ? '0800' : '86dd';
  return `${gateway}${mac}`.replaceAll(':', '') + type + Buffer.from(packet).toString('hex');
}
