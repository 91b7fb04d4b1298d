/** `desplice audit serve`: the other end of the path, told what to do by one client at a time. */
import { createServer, isIP, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { packetOf } from '../timeline/packet.js';
import { LinkType } from '../timeline/pcap.js';
import { Calls } from './calls.js';
import { type Channel, PipeChannel, TcpChannel } from './channel.js';
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
import { microseconds, type Ports, Wiretap } from './wiretap.js';

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
    const channel = new TcpChannel(socket);
    const busy = this.#session !== null;
    say(channel, welcomeOf(this, busy));
    if (busy) {
      socket.on('error', () => {});
      channel.closeSoon();
      return;
    }
    this.#session = new Session(channel, this, () => {
      this.#session = null;
    });
    this.options.log(`${channel.remoteAddress} has come`);
  }
}

/** One session over the input and output of this process, until it ends. Nothing else may be written to stdout. */
export function serveStdio(options: ServeOptions): Promise<void> {
  const { tap, why } = Wiretap.open('server', options.ports);
  const channel = new PipeChannel(process.stdin, process.stdout);
  const house: House = { options, tap, unprivileged: why };
  return new Promise((resolve) => {
    new Session(channel, house, () => {
      tap?.close();
      resolve();
    });
    say(channel, welcomeOf(house, false));
  });
}

/** What a session is served with. */
interface House {
  options: ServeOptions;
  tap: Wiretap | null;
  unprivileged: string;
}

const greetingOf = ({ version }: ServeOptions): Greeting => ({
  audit: protocolVersion,
  desplice: version,
});

const welcomeOf = ({ options, unprivileged }: House, busy: boolean): Welcome => ({
  ...greetingOf(options),
  ports: options.ports,
  unprivileged,
  busy,
});

class Session {
  readonly #calls = new Calls();
  readonly #grounds: Grounds;
  readonly #peers: Set<string>;
  readonly #heard = new Set<number>();
  #silence: NodeJS.Timeout;
  #greeted = false;
  #over = false;

  constructor(
    readonly channel: Channel,
    readonly house: House,
    readonly gone: () => void,
  ) {
    this.#grounds = { ports: house.options.ports, address: channel.localAddress };
    this.#peers = new Set([channel.remoteAddress]);
    this.#silence = setTimeout(() => this.end('it said nothing for too long'), greetingMs);
    const reader = new LineReader(
      (line) => this.#hear(line),
      (why) => this.end(`what it says is mangled: ${why}`),
    );
    channel.listen(
      (text) => reader.feed(text),
      (why) => this.end(why === 'it was closed' ? 'it has left' : why),
    );
    if (house.tap) house.tap.onPacket = (packet, { gsoSize }, port) => this.#overheard(packet, gsoSize, port);
  }

  end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#silence);
    this.#calls.clean();
    if (this.house.tap) this.house.tap.onPacket = () => {};
    this.channel.close();
    this.house.options.log(`${[...this.#peers][0]} is gone: ${why}`);
    this.gone();
  }

  #hear(line: Record<string, unknown>): void {
    if (!this.#greeted) {
      const wrong = disagreement(greetingOf(this.house.options), line);
      if (wrong) {
        this.end(`${wrong}; both ends must be of one version`);
        return;
      }
      this.#greeted = true;
      if (this.channel.remoteAddress === '' && !this.#takePath(line.path)) return;
    }
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.end('it said nothing for too long'), silenceMs);
    if (typeof line.id === 'number') void this.#answer(line.id, line.call, line.args);
  }

  /** Where the channel does not take the path, the client says which addresses the ends have there. */
  #takePath(path: unknown): boolean {
    const { client, server } = (path ?? {}) as Record<string, unknown>;
    const mine = Object.values(networkInterfaces()).flatMap(
      (all) => all?.map(({ address }) => address) ?? [],
    );
    const refused =
      typeof client !== 'string' || typeof server !== 'string' || !isIP(client)
        ? 'the client named no addresses'
        : mine.includes(server)
          ? ''
          : `the machine at the other end has no address ${server}; it has ${mine.join(', ')}`;
    if (refused) {
      say(this.channel, { refused });
      this.end(refused);
      return false;
    }
    this.#grounds.address = server as string;
    this.#peers.clear();
    this.#peers.add(client as string);
    return true;
  }

  async #answer(id: number, call: unknown, args: unknown): Promise<void> {
    try {
      const value = await this.#do(call, Array.isArray(args) ? args : []);
      say(this.channel, { id, value: value ?? 0 });
    } catch (error) {
      say(this.channel, { id, failed: error instanceof Error ? error.message : String(error) });
    }
  }

  #do(call: unknown, args: unknown[]): unknown {
    const { tap } = this.house;
    const port = args[0] as number;
    switch (call) {
      case 'ping':
        return 0;
      case 'clock':
        return microseconds();
      case 'losses':
        return this.channel.losses();
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
    say(this.channel, { port, gsoSize, packet: Buffer.from(packet).toString('hex') });
  }
}
