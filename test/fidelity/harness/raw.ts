/** An end without a kernel: segments made by hand, sent and received as frames. */
import { parseAddress } from '../../../src/wire/address.js';
import { addressOf, parseIp } from '../../../src/wire/ip.js';
import { buildTcpSegment, type SegmentOptions } from '../../../src/wire/segment.js';
import { seqAdd } from '../../../src/wire/seq.js';
import { parseTcp, tcpFlags } from '../../../src/wire/tcp.js';
import { buildIcmpError } from './icmp.js';
import { patternBytes } from './pattern.mjs';
import type { RawPlace } from './place.js';
import { finish, flagsOf, framed, type RawSegment, type RawSend, spoil } from './raw-segment.js';

export class RawHost {
  readonly #connections: RawConnection[] = [];
  #fd: number | undefined;

  constructor(readonly place: RawPlace) {}

  /** One connection from or to this host. A client needs a port of its own; a server has the scenario's. */
  async connection(
    options: { port?: number; isn?: number; with?: 'host' | 'raw' } = {},
  ): Promise<RawConnection> {
    const { agent, end, port } = this.place;
    const fd = await this.#device();
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

export class RawConnection {
  /** Relative: the SYN is 0, the first byte 1. */
  next = 0;
  /** Behind what has come from the other end, in order. */
  received = 0;
  peerIsn: number | undefined;
  peerPort: number | undefined;
  /** All that came, for `expect` to take away. */
  readonly segments: RawSegment[] = [];
  /** Of every segment with data that has come, in the order of arrival. */
  readonly lengths: number[] = [];
  /** The newest segment, also when `expect` has taken it. */
  last: RawSegment | undefined;
  /** The most bytes of payload that came in one segment. */
  largest = 0;
  /** The last that came, and 0 before. */
  peerTsval = 0;
  /** Set by `useTimestamps`: what the clock of this end stood at, and when. */
  #clock: { value: number; since: number } | undefined;
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

  /** From now on every segment carries timestamps, of a clock that starts at `value` and ticks in milliseconds. */
  useTimestamps(value: number): void {
    this.#clock = { value, since: performance.now() };
  }

  /** What the clock of this end says now. */
  get tsval(): number {
    if (!this.#clock) return 0;
    return (this.#clock.value + Math.floor(performance.now() - this.#clock.since)) >>> 0;
  }

  /** Sends one segment: `send('P.', { length: 100 })`. */
  async send(letters: string, options: RawSend = {}): Promise<void> {
    const flags = flagsOf(letters);
    const seq = options.seq ?? this.next;
    const length = options.length ?? 0;
    const end = seq + length + (flags & (tcpFlags.syn | tcpFlags.fin) ? 1 : 0);
    const packet = finish(this.build(letters, options), options);
    if (options.spoil) spoil(packet, options.spoil);
    // What is not accepted is not sent.
    const counts = !options.aside && !options.spoil;
    if (flags & tcpFlags.rst && counts) this.#over = true;
    else if (counts) this.next = Math.max(this.next, end);
    for (const each of [this.change(packet)].flat()) await this.sendPacket(each);
  }

  /** Sends a segment that somebody else has made: what this end knows of its connection stays as it was. */
  async inject(letters: string, options: RawSend): Promise<void> {
    const [next, over] = [this.next, this.#over];
    await this.send(letters, options);
    [this.next, this.#over] = [next, over];
  }

  /** What `send` would send, for those who want to change it first. */
  build(letters: string, options: RawSend = {}): Uint8Array {
    const flags = flagsOf(letters);
    const seq = options.seq ?? this.next;
    const length = options.length ?? 0;
    const seed = options.seed ?? (options.wrongBytes ? 3 : this.place.end === 'client' ? 1 : 2);
    const clock = this.#clock ? { tsval: this.tsval, tsecr: this.peerTsval } : {};
    return buildTcpSegment({
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
      options: flags & tcpFlags.rst ? options.options : { ...clock, ...options.options },
      payload: length > 0 ? patternBytes(seed, Math.max(0, seq - 1), length) : undefined,
    });
  }

  /** What happens to each packet that `send` has made: options, fragments. */
  change: (packet: Uint8Array) => Uint8Array | Uint8Array[] = (packet) => packet;

  /** Sends any IP packet from this host's link. */
  async sendPacket(packet: Uint8Array): Promise<void> {
    await this.place.agent.call('rawSend', this.fd, framed(packet, this.place));
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
      await this.#nextSegment(left);
    }
  }

  /** Acknowledges what comes, as it comes, until `end` is reached. Returns whether it was. */
  async receive(end: number, options: RawSend & { patienceMs?: number } = {}): Promise<boolean> {
    const done = this.place.transcript.begin(this.place.end, `receive until ${end}`);
    const deadline = Date.now() + (options.patienceMs ?? 3000);
    let acknowledged = -1;
    for (;;) {
      const some = this.segments.splice(0).some(({ payload }) => payload.length > 0);
      if (some || this.received > acknowledged) {
        acknowledged = this.received;
        await this.send('.', options);
      }
      if (this.received >= end || Date.now() > deadline) break;
      await this.#nextSegment(deadline - Date.now());
    }
    done(this.received >= end ? 'it came' : `${this.received} came`);
    return this.received >= end;
  }

  /** Waits for any segment and takes all that have come: a SYN, whatever its flags say about ECN. */
  async hears(patienceMs = 3000): Promise<RawSegment | undefined> {
    const done = this.place.transcript.begin(this.place.end, 'hears');
    await this.#nextSegment(patienceMs);
    const [first] = this.segments.splice(0);
    done(first ? 'something' : 'nothing');
    return first;
  }

  #nextSegment(ms: number): Promise<void> {
    if (this.segments.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, ms));
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
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
    this.largest = Math.max(this.largest, payload.length);
    this.peerTsval = tcp.options.timestamps?.tsval ?? this.peerTsval;
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
