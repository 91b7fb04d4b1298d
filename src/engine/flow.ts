/** A taken flow in the hands of the user's code: two ordinary sockets of node:net over the engine's descriptors. */
import net from 'node:net';
import type { Endpoint, HandshakeRecord } from '../flow/record.js';
import type { Release } from '../flow/stats.js';
import type { Seen } from '../peek/seen.js';
import type { RuleInput } from '../policy/rules.js';
import type { FromWorker, ToWorker } from './messages.js';
import { CLIENT, SERVER, type Side } from './taken.js';

/** How long a release may take, unless its caller says otherwise. */
export const RELEASE_MS = 5000;

type FlowMessage = Extract<FromWorker, { type: 'flow' }>;

/**
 * A connection that desplice has stepped into. `client` talks to the client, in the server's name; `server` to the
 * server, in the client's. Both are half-open sockets (`allowHalfOpen`): end each direction yourself, or pipe.
 */
export class Flow {
  readonly id: string;
  readonly client: net.Socket;
  readonly server: net.Socket;
  readonly clientAddress: Endpoint;
  readonly serverAddress: Endpoint;
  /** What each SYN offered. Source: the packets themselves. */
  readonly handshake: HandshakeRecord;
  /** Resolves when nothing of the flow is left in the middle. */
  readonly closed: Promise<void>;
  /** What its first bytes were; null: its rule does not say `peek`. */
  readonly seen: Seen | null;
  /** The module of `handle=MODULE`, of its rule or of the clause that held; null: none was named. */
  readonly module: string | null;
  /** The rule that selected it, as it was given; null when more than 255 reloads lie between the handshake and now. */
  readonly rule: RuleInput | null;
  readonly #send: (message: ToWorker) => void;
  readonly #release: (id: string, within: number) => Promise<Release>;
  readonly #reference: { id: number; generation: number };
  #ended!: () => void;
  #handedBack = false;

  /** @internal */
  constructor(
    message: FlowMessage,
    rule: RuleInput | null,
    send: (message: ToWorker) => void,
    release: (id: string, within: number) => Promise<Release>,
    own: readonly [number, number],
  ) {
    this.id = message.name;
    this.#reference = { id: message.id, generation: message.generation };
    this.rule = rule;
    this.seen = message.seen;
    this.module = message.module ?? rule?.module ?? null;
    this.#send = send;
    this.#release = release;
    this.clientAddress = message.client;
    this.serverAddress = message.server;
    this.handshake = message.handshake;
    this.closed = new Promise((resolve) => {
      this.#ended = resolve;
    });
    const [clientFd, serverFd] = own;
    this.client = this.#adopt(clientFd, CLIENT);
    this.server = this.#adopt(serverFd, SERVER);
  }

  // A duplicate, so that the engine keeps the socket when node closes its descriptor: it can be given back, and what
  // is left of it after its end can be cleaned up.
  #adopt(fd: number, side: Side): net.Socket {
    const socket = new net.Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    socket.once('close', () => {
      if (!this.#handedBack) this.#send({ type: 'sideClosed', ...this.#reference, side });
    });
    // A reset of one end is news, not a crash, for whoever does not listen; 'close' follows.
    socket.on('error', () => {});
    return socket;
  }

  /**
   * Hands the flow to the splicing relay. What you wrote before goes out first; what you did not read goes to the other
   * end. The two sockets are gone afterwards. Rejects when one of them has been destroyed or ended already.
   */
  async relay(): Promise<void> {
    if (this.#handedBack) throw new Error(`flow ${this.id} was given away already`);
    if (!isWhole(this.client) || !isWhole(this.server)) {
      throw new Error(`flow ${this.id} can't be relayed: one of its sockets is closed or ended`);
    }
    this.#handedBack = true;
    for (const socket of [this.client, this.server]) {
      // Who still listens would get what is left over a second time.
      socket.unpipe().removeAllListeners('data').removeAllListeners('readable').pause();
    }
    await Promise.all([flushed(this.client), flushed(this.server)]);
    const toServer = leftover(this.client);
    const toClient = leftover(this.server);
    await Promise.all([destroyed(this.client), destroyed(this.server)]);
    this.#send({ type: 'relay', ...this.#reference, toServer, toClient });
  }

  /**
   * Gives the flow back to plain forwarding: from then on its packets pass this machine as if nobody had ever stepped in. What
   * was read of each end must have been written to the other, byte for byte; what was not read yet goes on by itself.
   * Resolves at the latest a little after `within` milliseconds. `refused` with the flow still yours when bytes were left
   * out or added; refused for another reason (its `reason` says which), it goes on as a relayed flow.
   */
  async release({ within = RELEASE_MS }: { within?: number } = {}): Promise<Release> {
    if (this.#handedBack) return { result: 'refused', reason: 'it was given away already' };
    if (!isWhole(this.client) || !isWhole(this.server)) {
      return { result: 'refused', reason: 'one of its sockets is closed or ended' };
    }
    for (const [from, to, names] of [
      [this.client, this.server, 'client but not written to the server'],
      [this.server, this.client, 'server but not written to the client'],
    ] as const) {
      const missing = from.bytesRead - from.readableLength - to.bytesWritten;
      if (missing > 0) return { result: 'refused', reason: `${missing} bytes were read from the ${names}` };
      if (missing < 0)
        return { result: 'refused', reason: `${-missing} bytes were written that no end has sent` };
    }
    await this.relay();
    return this.#release(this.id, within);
  }

  /** Ends the flow with a reset towards both ends. */
  reset(): void {
    this.#handedBack = true;
    this.client.destroy();
    this.server.destroy();
    this.#send({ type: 'reset', ...this.#reference });
  }

  /** @internal The worker says that it is over. */
  end(): void {
    this.#handedBack = true;
    this.client.destroy();
    this.server.destroy();
    this.#ended();
  }
}

const isWhole = (socket: net.Socket): boolean => !socket.destroyed && socket.writable;

/** Resolves when all that was written is in the kernel. */
function flushed(socket: net.Socket): Promise<void> {
  if (socket.writableLength === 0) return Promise.resolve();
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', resolve);
    socket.write('', () => resolve());
  });
}

function destroyed(socket: net.Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.destroy();
  });
}

/** What node has read ahead and nobody has taken. */
function leftover(socket: net.Socket): Uint8Array | null {
  const chunks: Buffer[] = [];
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(Buffer.from(chunk));
  return chunks.length === 0 ? null : new Uint8Array(Buffer.concat(chunks));
}
