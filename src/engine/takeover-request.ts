/**
 * A socket by a request sock: the ACK with which an end would have finished a handshake with us, written into the TUN
 * while `writing` tells the kernel program to let it pass for that of a SYN cookie; a listener then makes the socket.
 */
import { E } from '../kernel/ffi.js';
import { accept, discardQueued, type Listener, openListener } from '../kernel/listener.js';
import { close } from '../kernel/socket.js';
import type { SpareDescriptors } from '../kernel/spare_descriptors.js';
import { AckWriter } from '../wire/ack.js';
import { Config, Has, MAX_WORKERS } from './layout.js';
import { MARK, MARK_MASK } from './system.js';
import { CLIENT, type Identity, SERVER, type Side, windowOf } from './taken.js';
import type { TunWriter } from './tun-writer.js';

/** The kernel refuses smaller ones (`bpf_sk_assign_tcp_reqsk()`): such flows go by TCP_REPAIR. */
const LEAST_MSS = { 4: 536, 6: 1220 } as const;
/** So many failures and no success yet mean that this kernel, or its settings, can't. */
const HOPELESS = 8;

export class RequestSockets {
  readonly #ack = new AckWriter();
  readonly #listeners: Partial<Record<4 | 6, Listener>> = {};
  #failures = 0;
  #works = false;

  /** `config` is the mapping of the kernel program's configuration. */
  constructor(
    readonly tun: TunWriter,
    config: ArrayBuffer,
    worker: number,
    readonly spare: SpareDescriptors,
  ) {
    const ports = new DataView(config, Config.listener, 2 * 2 * MAX_WORKERS);
    for (const family of [4, 6] as const) {
      try {
        const listener = openListener(family, MARK, MARK_MASK);
        this.#listeners[family] = listener;
        ports.setUint16((family === 4 ? 0 : 2 * MAX_WORKERS) + 2 * worker, listener.port, false);
      } catch {
        // A namespace without this family has no flows of it either.
      }
    }
  }

  /** The socket that faces `side` and starts behind `taken` bytes of that end; below 0: make it in another way. */
  make(identity: Identity, side: Side, taken: number): number {
    const family = identity.family;
    const listener = this.#listeners[family];
    const peer = identity.sides[side];
    if (!listener || (!this.#works && this.#failures >= HOPELESS)) return -1;
    if (peer.has & Has.MSS && peer.mss < LEAST_MSS[family]) return -1;
    const other: Side = side === CLIENT ? SERVER : CLIENT;
    const self = identity.sides[other];
    const both = identity.agreed;
    const scaled = (both & Has.WSCALE) !== 0;
    const window = windowOf(peer, scaled);
    const roundTrip = identity.roundTripMs(side);
    const length = this.#ack.write(
      family,
      identity.key,
      identity.addressOffset(side),
      identity.port(side),
      identity.addressOffset(other),
      identity.port(other),
      (peer.isn + 1 + taken) >>> 0,
      (self.isn + 1) >>> 0,
      scaled ? window >>> peer.scale : window,
      (both & Has.TS) !== 0,
      peer.tsval,
      // The kernel takes the time since then for a round trip (tcp_ack_update_rtt()); 0 is none.
      roundTrip === 0 ? 0 : (self.tsval - roundTrip) >>> 0,
    );
    this.tun.make(this.#ack.packet, length);
    let fd = this.#accept(listener, identity, side);
    // More than once where another thread was quicker.
    while (this.spare.help(fd)) fd = this.#accept(listener, identity, side);
    if (fd >= 0) this.#works = true;
    else if (fd === -E.EAGAIN) this.#failures++;
    return fd;
  }

  #accept(listener: Listener, identity: Identity, side: Side): number {
    const { family, key } = identity;
    return accept(listener, family, key, identity.addressOffset(side), identity.port(side));
  }

  close(): void {
    for (const { fd } of Object.values(this.#listeners)) {
      discardQueued(fd);
      close(fd);
    }
  }
}
