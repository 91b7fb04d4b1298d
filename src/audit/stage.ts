/** Where one run of a case plays: two ends, and ports of the server that are its own. */
import { type Packet, packetOf } from '../timeline/packet.js';
import { LinkType } from '../timeline/pcap.js';
import type { Family, Opened, Options } from './calls.js';
import { NotTested } from './case.js';
import type { End } from './end.js';
import { RawConnection } from './raw-connection.js';
import { type Side, Socket } from './socket.js';
import { exchangeOf, type WrapName } from './wrap.js';

/** A captured packet, with what the capture knows besides. */
export type SeenPacket = Packet & { outgoing: boolean; gsoSize: number; bytes: Uint8Array };

export interface Listener {
  accept(ms?: number): Promise<Socket>;
  close(): Promise<void>;
}

interface ConnectOptions {
  fromPort?: number;
  options?: Options;
  ms?: number;
  /** Which of the case's ports, from 0. */
  to?: number;
}

/** So many ports each run of a case has. */
export const portsEach = 2;

export class Stage {
  readonly #sockets: Socket[] = [];
  readonly #handles: { end: End; handle: number }[] = [];
  readonly #raw: RawConnection[] = [];
  readonly #heard = new Map<Side, Set<number>>([
    ['client', new Set()],
    ['server', new Set()],
  ]);

  constructor(
    readonly ends: Record<Side, End>,
    /** As the user named it: where the client's packets are to go. */
    readonly target: string,
    readonly family: Family,
    /** The first of the case's ports. */
    readonly port: number,
    /** With what each connection begins. */
    readonly wrap: WrapName | null = null,
  ) {}

  #exchange(port: number) {
    return this.wrap ? exchangeOf(this.wrap, this.target, port) : undefined;
  }

  async begin(): Promise<void> {
    for (let i = 0; i < portsEach; i++) {
      await Promise.all(Object.values(this.ends).map((end) => end.forget(this.port + i)));
    }
  }

  async listen({ options = {}, at = 0 }: { options?: Options; at?: number } = {}): Promise<Listener> {
    const { server } = this.ends;
    const opened = await server.call<Opened>('listen', this.family, server.address, this.port + at, options);
    if (opened.error) throw new Error(`listening at the server, port ${this.port + at}: ${opened.error}`);
    this.#handles.push({ end: server, handle: opened.handle });
    return {
      accept: (ms = 3000) => this.#accept(opened.handle, this.port + at, ms),
      close: async () => {
        await server.call('close', opened.handle);
      },
    };
  }

  async #accept(handle: number, port: number, ms: number): Promise<Socket> {
    const { server } = this.ends;
    const opened = await server.call<Opened>('accept', handle, ms);
    const socket = this.#keep(new Socket(server, 'server', opened));
    const exchange = this.#exchange(port);
    if (!exchange || opened.error) return socket;
    const error = await socket.answer(exchange);
    return error ? new Socket(server, 'server', { ...opened, error }) : socket;
  }

  /** A connection that is refused is a result too: see `error`. */
  async connect({ to = 0, ...options }: ConnectOptions = {}): Promise<Socket> {
    const { client } = this.ends;
    const args = [this.family, this.target, this.port + to, { from: client.address, ...options }];
    const socket = this.#keep(new Socket(client, 'client', await client.call<Opened>('connect', ...args)));
    const exchange = this.#exchange(this.port + to);
    if (exchange && !socket.error) await socket.ask(exchange);
    return socket;
  }

  /** Two ordinary sockets that are connected, or the case says nothing. */
  async connected(
    client: ConnectOptions = {},
    server: { options?: Options } = {},
  ): Promise<{ c: Socket; s: Socket; listener: Listener }> {
    const listener = await this.listen({ ...server, at: client.to ?? 0 });
    const c = await this.connect(client);
    if (c.error) throw new NotTested(`no connection came about: ${c.error}`);
    const s = await listener.accept();
    if (s.error) throw new NotTested(`the server accepted no connection: ${s.error}`);
    const trouble = await c.answered();
    if (trouble) throw new NotTested(trouble);
    return { c, s, listener };
  }

  async rawClient({ at = 0, isn = 1_000_000 } = {}): Promise<RawConnection> {
    const { client } = this.ends;
    const opened = await client.call<Opened>('mute', this.family, client.address, 0);
    if (opened.error) throw new Error(`taking a port at the client: ${opened.error}`);
    this.#handles.push({ end: client, handle: opened.handle });
    return this.#connection('client', this.port + at, opened.local.port, this.target, isn);
  }

  async rawServer({ at = 0, isn = 3_000_000 } = {}): Promise<RawConnection> {
    const { client } = this.ends;
    await this.muteServer(at);
    const port = this.port + at;
    return this.#connection('server', port, port, client.address, isn);
  }

  /** Takes the case's port at the server, where nothing answers then. */
  async muteServer(at = 0): Promise<void> {
    const { server } = this.ends;
    const opened = await server.call<Opened>('mute', this.family, server.address, this.port + at);
    if (opened.error) throw new Error(`taking port ${this.port + at} at the server: ${opened.error}`);
    this.#handles.push({ end: server, handle: opened.handle });
  }

  async #connection(
    side: Side,
    port: number,
    own: number,
    peer: string,
    isn: number,
  ): Promise<RawConnection> {
    const end = this.ends[side];
    const place = {
      end: side,
      address: end.address,
      peer,
      port,
      exchange: this.#exchange(port),
      transmit: (packet: Uint8Array) => end.transmit(packet),
      begin: () => () => {},
    };
    const connection = new RawConnection(place, own, isn);
    this.#raw.push(connection);
    const mine = this.#raw.filter(({ place }) => place.end === side && place.port === port);
    this.#heard.get(side)?.add(port);
    await end.hear(port, (packet, gsoSize) => {
      for (const each of mine) each.hear(packet, gsoSize);
    });
    return connection;
  }

  /** What one end has captured of the case so far, at any of its ports. */
  async seen(side: Side): Promise<SeenPacket[]> {
    const all: SeenPacket[] = [];
    for (let i = 0; i < portsEach; i++) {
      for (const { time, outgoing, gsoSize, length, hex } of await this.ends[side].packets(this.port + i)) {
        const bytes = Buffer.from(hex, 'hex');
        const packet = packetOf({ time, bytes, length }, LinkType.raw);
        if (packet) all.push({ ...packet, outgoing, gsoSize, bytes });
      }
    }
    return all;
  }

  /** Resets what the case has left open. */
  async clean(): Promise<void> {
    for (const connection of this.#raw) await connection.clean().catch(() => {});
    for (const [side, ports] of this.#heard) {
      for (const port of ports) await this.ends[side].hear(port, null).catch(() => {});
    }
    const handles = [...this.#sockets.map(({ end, handle }) => ({ end, handle })), ...this.#handles];
    for (const { end, handle } of handles) {
      if (handle >= 0) await end.call('close', handle, true).catch(() => {});
    }
  }

  #keep(socket: Socket): Socket {
    this.#sockets.push(socket);
    return socket;
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
