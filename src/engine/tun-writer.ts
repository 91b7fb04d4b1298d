/** Writes into the TUN of a worker. The kernel program handles a packet before write(2) returns, so that a word in the mapped
 *  configuration can tell it meanwhile what the packet is. */
import { write } from '../kernel/socket.js';
import { Config, MAX_WORKERS, Writing } from './layout.js';

export class TunWriter {
  readonly #writing: Uint32Array;

  /** `config` is the mapping of the kernel program's configuration. */
  constructor(
    readonly tun: number,
    config: ArrayBuffer,
    readonly worker: number,
  ) {
    this.#writing = new Uint32Array(config, Config.writing, MAX_WORKERS);
  }

  /** What was held goes on, as if it had just arrived. */
  reinject(packet: Uint8Array, length = packet.length): void {
    write(this.tun, packet, length);
  }

  /** An ACK from which a listener is to make a socket: afterwards it is in the listener's queue, or there is none. */
  make(packet: Uint8Array, length: number): void {
    this.#write(Writing.MAKING, packet, length);
  }

  /** What one of our sockets would say to an end: it is forwarded there, and dressed as the socket's own are. */
  pass(packet: Uint8Array, length = packet.length): void {
    this.#write(Writing.PASSING, packet, length);
  }

  #write(what: number, packet: Uint8Array, length: number): void {
    this.#writing[this.worker] = what;
    write(this.tun, packet, length);
    this.#writing[this.worker] = Writing.HELD;
  }
}
