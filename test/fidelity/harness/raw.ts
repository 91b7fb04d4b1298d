/** An end without a kernel: segments made by hand, sent and received as frames. */
import { parseAddress } from '../../../src/wire/address.js';
import { addressOf, parseIp } from '../../../src/wire/ip.js';
import { buildTcpSegment, type SegmentOptions } from '../../../src/wire/segment.js';
import { seqAdd } from '../../../src/wire/seq.js';
import { parseTcp, type TcpHeader, tcpFlags } from '../../../src/wire/tcp.js';
import type { Agent } from './agent.js';
import type { End } from './host.js';
import { buildIcmpError } from './icmp.js';
import { patternBytes } from './pattern.mjs';
import type { Transcript } from './transcript.js';

export interface RawPlace {
  end: End;
  agent: Agent;
  transcript: Transcript;
  /** The raw host's own address, and the one that it talks to. */
  address: string;
  peer: string;
  /** The raw host on the other link. */
  rawPeer: string;
  port: number;
  /** Link-layer addresses: ours, and the next hop's. */
  mac: string;
  gateway: string;
}

export interface RawSegment extends TcpHeader {
  payload: Uint8Array;
}

/** Letters as packetdrill writes them: `S`, `S.`, `P.`, `F.`, `R`; also `U`, `E`, `W` (CWR). */
export function flagsOf(letters: string): number {
  const bits: Record<string, number> = {
    S: tcpFlags.syn,
    '.': tcpFlags.ack,
    P: tcpFlags.psh,
    F: tcpFlags.fin,
    R: tcpFlags.rst,
    U: tcpFlags.urg,
    E: tcpFlags.ece,
    W: tcpFlags.cwr,
  };
  return [...letters].reduce((flags, letter) => {
    const bit = bits[letter];
    if (bit === undefined)
      throw new RangeError(`no TCP flag ${letter}; there are ${Object.keys(bits).join(' ')}`);
    return flags | bit;
  }, 0);
}

export class RawHost {
  readonly #connections: RawConnection[] = [];
  #fd: number | undefined;

  constructor(readonly place: RawPlace) {}

  /** One connection from or to this host. A client needs a port of its own; a server has the scenario's. */
  async connection(
    options: { port?: number; isn?: number; with?: 'host' | 'raw' } = {},
  ): Promise<RawConnection> {
    const { agent, end, port } = this.place;
    this.#fd ??= await agent.call<number>('rawOpen', 'eth0');
    const fd = this.#fd;
    agent.onFrame(fd, (frame) => {
      for (const connection of this.#connections) connection.hear(frame);
    });
    const own = end === 'server' ? port : (options.port ?? 40_000 + this.#connections.length);
    const connection = new RawConnection(
      { ...this.place, peer: options.with === 'raw' ? this.place.rawPeer : this.place.peer },
      fd,
      own,
      options.isn ?? 1_000_000,
    );
    this.#connections.push(connection);
    return connection;
  }

  async clean(): Promise<void> {
    if (this.#fd === undefined) return;
    for (const connection of this.#connections) await connection.clean();
    await this.place.agent.call('rawClose', this.#fd);
  }
}

function spoil(packet: Uint8Array, what: 'tcp' | 'ip' | 'data'): void {
  const v4 = (packet[0] as number) >> 4 === 4;
  // IPv6 has no checksum of its own header (RFC 8200): the TCP checksum covers what matters of it.
  const at = what === 'data' ? packet.length - 1 : what === 'ip' && v4 ? 10 : v4 ? 36 : 56;
  packet[at] = (packet[at] as number) ^ 0x55;
}

export interface RawSend {
  /** Relative to this end's initial sequence number; default: the next. */
  seq?: number;
  /** Relative to the other's; default: all that has come. */
  ack?: number;
  /** So many bytes of this end's stream. */
  length?: number;
  window?: number;
  ttl?: number;
  tos?: number;
  flowLabel?: number;
  options?: SegmentOptions;
  /** The TCP checksum is wrong, or that of the IPv4 header. `data`: it is right, but for other data than what is there. */
  spoil?: 'tcp' | 'ip' | 'data';
}

export class RawConnection {
  /** Relative: the SYN is 0, the first byte 1. */
  next = 0;
  /** Behind what has come from the other end, in order. */
  received = 0;
  peerIsn: number | undefined;
  peerPort: number | undefined;
  readonly segments: RawSegment[] = [];
  /** Of every segment with data that has come, in the order of arrival. */
  readonly lengths: number[] = [];
  /** The newest segment, also when `expect` has taken it. */
  last: RawSegment | undefined;
  #waiting: (() => void)[] = [];
  #over = false;

  constructor(
    readonly place: RawPlace,
    readonly fd: number,
    readonly port: number,
    readonly isn: number,
  ) {
    if (place.end === 'client') this.peerPort = place.port;
  }

  /** Sends one segment: `send('P.', { length: 100 })`. */
  async send(letters: string, options: RawSend = {}): Promise<void> {
    const flags = flagsOf(letters);
    const seq = options.seq ?? this.next;
    const length = options.length ?? 0;
    const seed = this.place.end === 'client' ? 1 : 2;
    const packet = buildTcpSegment({
      src: parseAddress(this.place.address) as Uint8Array,
      dst: parseAddress(this.place.peer) as Uint8Array,
      sourcePort: this.port,
      destinationPort: this.peerPort ?? 0,
      seq: seqAdd(this.isn, seq),
      ack: flags & tcpFlags.ack ? seqAdd(this.peerIsn ?? 0, options.ack ?? this.received) : 0,
      flags,
      window: options.window ?? 65_000,
      ttl: options.ttl ?? 64,
      tos: options.tos ?? 0,
      flowLabel: options.flowLabel,
      options: options.options,
      payload: length > 0 ? patternBytes(seed, Math.max(0, seq - 1), length) : undefined,
    });
    const end = seq + length + (flags & (tcpFlags.syn | tcpFlags.fin) ? 1 : 0);
    if (options.spoil) spoil(packet, options.spoil);
    // What is not accepted is not sent.
    else if (flags & tcpFlags.rst) this.#over = true;
    else this.next = Math.max(this.next, end);
    await this.sendPacket(packet);
  }

  /** Sends any IP packet from this host's link. */
  async sendPacket(packet: Uint8Array): Promise<void> {
    const type = (packet[0] as number) >> 4 === 4 ? '0800' : '86dd';
    const link = `${this.place.gateway}${this.place.mac}`.replaceAll(':', '') + type;
    await this.place.agent.call('rawSend', this.fd, link + Buffer.from(packet).toString('hex'));
  }

  /**
   * Says by ICMP, from this host's own address, that something is wrong with a segment that has come here. `seq` pretends that it
   * had another sequence number, relative to the other end's.
   */
  async icmp(
    about: RawSegment,
    { type, code, mtu, seq }: { type: number; code: number; mtu?: number; seq?: number },
  ): Promise<void> {
    const { address, peer } = this.place;
    const [from, to] = [parseAddress(address) as Uint8Array, parseAddress(peer) as Uint8Array];
    const quote = buildTcpSegment({
      ...about,
      src: to,
      dst: from,
      seq: seq === undefined ? about.seq : seqAdd(this.peerIsn ?? 0, seq),
      options: undefined,
      ttl: 63,
      tos: 0,
    });
    await this.sendPacket(buildIcmpError({ from, to, type, code, mtu, about: quote }));
  }

  /**
   * Waits for a segment that has these flags (PSH aside) and, when given, ends at `end`; older ones are skipped. Whether it came
   * is in the transcript; undefined: it did not.
   */
  async expect(
    letters: string,
    options: { end?: number; patienceMs?: number } = {},
  ): Promise<RawSegment | undefined> {
    const want = flagsOf(letters) & ~tcpFlags.psh;
    const done = this.place.transcript.begin(this.place.end, `expect ${letters}`);
    const deadline = Date.now() + (options.patienceMs ?? 3000);
    for (;;) {
      for (;;) {
        const segment = this.segments.shift();
        if (!segment) break;
        if ((segment.flags & ~tcpFlags.psh) !== want) continue;
        if (options.end !== undefined && this.#end(segment) !== options.end) continue;
        done('it came');
        return segment;
      }
      const left = deadline - Date.now();
      if (left <= 0) {
        done('nothing came');
        return undefined;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** A client's handshake, or a server's answer to one. */
  async open(options: SegmentOptions = { mss: 1460 }, send: RawSend = {}): Promise<void> {
    if (this.place.end === 'client') {
      await this.send('S', { ...send, options });
      await this.expect('S.');
      await this.send('.', { ...send });
    } else {
      await this.expect('S');
      await this.send('S.', { ...send, options });
      await this.expect('.');
    }
  }

  /** The other end has given up, for a reason that is no segment. */
  over(): void {
    this.#over = true;
  }

  /** Nothing of this connection stays behind in the middle or at the other end. */
  async clean(): Promise<void> {
    if (this.#over || this.peerIsn === undefined) return;
    await this.send('R.');
  }

  hear(frame: Uint8Array): void {
    const bytes = frame.subarray(14);
    const ip = parseIp(bytes);
    if (!ip.ok || ip.protocol !== 6 || ip.fragment) return;
    const mine = Buffer.from(parseAddress(this.place.address) as Uint8Array);
    if (!mine.equals(addressOf(bytes, ip.version, ip.dst))) return;
    const tcp = parseTcp(bytes, ip.headerLength, ip.totalLength);
    if (!tcp.ok || tcp.destinationPort !== this.port) return;
    if (tcp.flags & tcpFlags.syn && this.peerIsn === undefined) {
      this.peerIsn = tcp.seq;
      this.peerPort = tcp.sourcePort;
    }
    if (tcp.sourcePort !== this.peerPort) return;
    const payload = bytes.slice(ip.headerLength + tcp.dataOffset, ip.totalLength);
    const segment = { ...tcp, payload };
    const start = ((tcp.seq - (this.peerIsn ?? tcp.seq)) | 0) as number;
    const end = this.#end(segment);
    if (start <= this.received && end > this.received && !(tcp.flags & tcpFlags.rst)) this.received = end;
    if (tcp.flags & tcpFlags.rst) this.#over = true;
    this.segments.push(segment);
    this.last = segment;
    if (payload.length > 0) this.lengths.push(payload.length);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #end(segment: RawSegment): number {
    const phantom = segment.flags & (tcpFlags.syn | tcpFlags.fin) ? 1 : 0;
    return ((segment.seq - (this.peerIsn ?? segment.seq)) | 0) + segment.payload.length + phantom;
  }
}
