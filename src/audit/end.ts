/** One end of the path, here or behind the control connection: what the cases ask of both alike. */
import { Calls } from './calls.js';
import type { PacketListener, Ports, Tapped } from './wiretap.js';
import { Wiretap } from './wiretap.js';

export interface End {
  /** Its own address on the path. */
  readonly address: string;
  /** '' when raw packets can be sent and captured here, else why not. */
  readonly unprivileged: string;
  /** A method of `Calls`. */
  call<T>(name: string, ...args: unknown[]): Promise<T>;
  transmit(packet: Uint8Array): Promise<void>;
  /** Everything that comes in from or to a port of the server, until told `null`. */
  hear(port: number, listener: ((packet: Uint8Array, gsoSize: number) => void) | null): Promise<void>;
  packets(port: number): Promise<Tapped[]>;
  /** What an earlier run has left under this port is not of the next one. */
  forget(port: number): Promise<void>;
}

/** The end at which `audit run` runs. */
export class LocalEnd implements End {
  readonly unprivileged: string;
  readonly #calls = new Calls();
  readonly #tap: Wiretap | null;
  readonly #listeners = new Map<number, (packet: Uint8Array, gsoSize: number) => void>();

  constructor(
    readonly address: string,
    ports: Ports,
  ) {
    const { tap, why } = Wiretap.open('client', ports);
    this.#tap = tap;
    this.unprivileged = why;
    if (tap) tap.onPacket = this.#hear;
  }

  readonly #hear: PacketListener = (packet, { gsoSize }, port) =>
    this.#listeners.get(port)?.(packet, gsoSize);

  async call<T>(name: string, ...args: unknown[]): Promise<T> {
    const method = (this.#calls as unknown as Record<string, (...args: unknown[]) => unknown>)[name];
    if (!method) throw new RangeError(`an end has no call ${name}`);
    return (await method.apply(this.#calls, args)) as T;
  }

  async transmit(packet: Uint8Array): Promise<void> {
    this.#tap?.send(packet);
  }

  async hear(port: number, listener: ((packet: Uint8Array, gsoSize: number) => void) | null): Promise<void> {
    if (listener) this.#listeners.set(port, listener);
    else this.#listeners.delete(port);
  }

  async packets(port: number): Promise<Tapped[]> {
    return this.#tap?.packets(port) ?? [];
  }

  async forget(port: number): Promise<void> {
    this.#tap?.forget(port);
  }

  close(): void {
    this.#calls.clean();
    this.#tap?.close();
  }
}
