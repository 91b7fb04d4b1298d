/** `desplice audit serve`: the other end of the path, told what to do by one client at a time. */
import { createServer, type Server, type Socket } from 'node:net';
import { packetOf } from '../timeline/packet.js';
import { LinkType } from '../timeline/pcap.js';
import { Calls } from './calls.js';
import { lossesOf, plainAddress } from './control-socket.js';
import { callRefused, type Grounds, packetRefused } from './guard.js';
import {
  AuditError,
  disagreement,
  type Greeting,
  LineReader,
  protocolVersion,
  say,
  type Welcome,
} from './protocol.js';
import { type Ports, Wiretap } from './wiretap.js';

export interface ServeOptions {
  listen?: string;
  controlPort: number;
  ports: Ports;
  version: string;
  /** For whoever watches: sessions that begin and end, and why. */
  log: (line: string) => void;
}

/** A client says something at least this often (`run` pings); silence means that the box has lost one of us. */
const silenceMs = 60_000;
const greetingMs = 5000;

export class AuditServer {
  readonly #server: Server;
  #session: Session | null = null;

  private constructor(
    readonly options: ServeOptions,
    readonly tap: Wiretap | null,
    readonly unprivileged: string,
  ) {
    this.#server = createServer((socket) => this.#greet(socket));
  }

  static async start(options: ServeOptions): Promise<AuditServer> {
    const { tap, why } = Wiretap.open('server', options.ports);
    const server = new AuditServer(options, tap, why);
    const { listen, controlPort } = options;
    try {
      await new Promise<void>((resolve, reject) => {
        server.#server.once('error', reject);
        server.#server.listen({ port: controlPort, host: listen }, resolve);
      });
    } catch (error) {
      tap?.close();
      const { code } = error as NodeJS.ErrnoException;
      const hint =
        code === 'EADDRINUSE'
          ? 'another audit, or another program, has the port: choose one with --control-port at both ends'
          : 'give an address of this machine with --listen';
      const where = `${listen ?? 'all addresses'}, port ${controlPort}`;
      throw new AuditError('LISTEN', `listening for the audit on ${where}: ${code}`, hint);
    }
    return server;
  }

  async stop(): Promise<void> {
    this.#session?.end('the server was stopped');
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.tap?.close();
  }

  #greet(socket: Socket): void {
    const { ports, version, log } = this.options;
    const mine: Greeting = { audit: protocolVersion, desplice: version };
    const busy = this.#session !== null;
    say(socket, { ...mine, ports, unprivileged: this.unprivileged, busy } satisfies Welcome);
    if (busy) {
      socket.on('error', () => {});
      // Gone once that is said, whatever the other end does: nothing here waits for it.
      socket.destroySoon();
      return;
    }
    const session = new Session(socket, this, mine, () => {
      this.#session = null;
    });
    this.#session = session;
    log(`${session.peer} has come`);
  }
}

class Session {
  readonly peer: string;
  readonly #calls = new Calls();
  readonly #grounds: Grounds;
  readonly #peers: Set<string>;
  readonly #heard = new Set<number>();
  #silence: NodeJS.Timeout;
  #greeted = false;
  #over = false;

  constructor(
    readonly socket: Socket,
    readonly server: AuditServer,
    readonly mine: Greeting,
    readonly gone: () => void,
  ) {
    this.peer = plainAddress(socket.remoteAddress);
    this.#grounds = { ports: server.options.ports, address: plainAddress(socket.localAddress) };
    this.#peers = new Set([this.peer]);
    this.#silence = setTimeout(() => this.end('it said nothing for too long'), greetingMs);
    const reader = new LineReader(
      (line) => this.#hear(line),
      (why) => this.end(`what it says is mangled: ${why}`),
    );
    socket.setNoDelay(true).setEncoding('utf8');
    socket.on('data', (text: string) => reader.feed(text));
    socket.on('error', (error) => this.end(error.message));
    socket.on('close', () => this.end('it has left'));
    if (server.tap)
      server.tap.onPacket = (packet, { gsoSize }, port) => this.#overheard(packet, gsoSize, port);
  }

  end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#silence);
    this.#calls.clean();
    if (this.server.tap) this.server.tap.onPacket = () => {};
    this.socket.destroy();
    this.server.options.log(`${this.peer} is gone: ${why}`);
    this.gone();
  }

  #hear(line: Record<string, unknown>): void {
    if (!this.#greeted) {
      const wrong = disagreement(this.mine, line);
      if (wrong) {
        this.end(`${wrong}; both ends must be of one version`);
        return;
      }
      this.#greeted = true;
    }
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.end('it said nothing for too long'), silenceMs);
    if (typeof line.id === 'number') void this.#answer(line.id, line.call, line.args);
  }

  async #answer(id: number, call: unknown, args: unknown): Promise<void> {
    try {
      const value = await this.#do(call, Array.isArray(args) ? args : []);
      say(this.socket, { id, value: value ?? 0 });
    } catch (error) {
      say(this.socket, { id, failed: error instanceof Error ? error.message : String(error) });
    }
  }

  #do(call: unknown, args: unknown[]): unknown {
    const { tap } = this.server;
    const port = args[0] as number;
    switch (call) {
      case 'ping':
        return 0;
      case 'losses':
        return lossesOf(this.socket);
      case 'transmit': {
        const packet = Buffer.from(String(args[0]), 'hex');
        const refused = packetRefused(packet, this.#grounds, this.#peers);
        if (refused) throw new Error(`a raw packet was refused: ${refused}`);
        return tap?.send(packet);
      }
      case 'hear':
        if (args[1]) this.#heard.add(port);
        else this.#heard.delete(port);
        return 0;
      case 'forget':
        return tap?.forget(port);
      case 'packets':
        return tap?.packets(port) ?? [];
    }
    const refused = callRefused(call, args, this.#grounds);
    if (refused) throw new Error(refused);
    const method = (this.#calls as unknown as Record<string, (...args: unknown[]) => unknown>)[
      call as string
    ];
    return method?.apply(this.#calls, args);
  }

  #overheard(packet: Uint8Array, gsoSize: number, port: number): void {
    const read = packetOf({ time: 0, bytes: packet, length: packet.length }, LinkType.raw);
    if (read?.content.kind === 'tcp' && read.destination === this.#grounds.address)
      this.#peers.add(read.source);
    if (!this.#heard.has(port)) return;
    say(this.socket, { port, gsoSize, packet: Buffer.from(packet).toString('hex') });
  }
}
