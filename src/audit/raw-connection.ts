/** An end without a kernel: segments made by hand, sent and received as frames. */
import { parseAddress } from '../wire/address.js';
import { addressOf, parseIp } from '../wire/ip.js';
import { buildTcpSegment, type SegmentOptions } from '../wire/segment.js';
import { seqAdd } from '../wire/seq.js';
import { parseTcp, tcpFlags } from '../wire/tcp.js';
import { buildIcmpError } from './icmp.js';
import { patternBytes } from './pattern.js';
import { exchangeByHand } from './raw-exchange.js';
import { finish, flagsOf, type RawSegment, type RawSend, spoil } from './raw-segment.js';
import type { Exchange } from './wrap.js';

/** Where a connection without a kernel stands, and how its packets leave. */
export interface RawPlace {
  end: 'client' | 'server';
  /** Its own address, and the one that it talks to. */
  address: string;
  peer: string;
  /** The server's. */
  port: number;
  /** With what `open` begins each connection. */
  exchange?: Exchange;
  transmit(packet: Uint8Array): Promise<void>;
  /** Notes a call that waits; what it returns notes what came of it. */
  begin(call: string): (result: string) => void;
}

export class RawConnection {
  /** Relative: the SYN is 0, the first byte 1. */
  next = 0;
  /** Behind what has come from the other end, in order. */
  received = 0;
  /** What relative numbers count from: the initial sequence number, or where the stream begins behind an exchange. */
  isn: number;
  peerIsn: number | undefined;
  peerPort: number | undefined;
  /** Who it talks to: from the first SYN on, whoever sent that. */
  peerAddress: Uint8Array;
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
    readonly port: number,
    /** The sequence number of its SYN. */
    readonly initial: number,
  ) {
    this.isn = initial;
    this.peerAddress = parseAddress(place.peer) as Uint8Array;
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
    const length = options.payload?.length ?? options.length ?? 0;
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
      dst: this.peerAddress,
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
      payload: options.payload ?? (length > 0 ? patternBytes(seed, Math.max(0, seq - 1), length) : undefined),
    });
  }

  /** What happens to each packet that `send` has made: options, fragments. */
  change: (packet: Uint8Array) => Uint8Array | Uint8Array[] = (packet) => packet;

  /** Sends any IP packet from this host's link. */
  async sendPacket(packet: Uint8Array): Promise<void> {
    await this.place.transmit(packet);
  }

  /**
   * Says by ICMP, from this host's own address, that something is wrong with a segment that has come here. `seq` pretends that it
   * had another sequence number, relative to the other end's.
   */
  async icmp(
    about: RawSegment,
    { type, code, mtu, seq }: { type: number; code: number; mtu?: number; seq?: number },
  ): Promise<void> {
    const [from, to] = [parseAddress(this.place.address) as Uint8Array, this.peerAddress];
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
    const done = this.place.begin(`expect ${letters}`);
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
      await this.arrival(left);
    }
  }

  /** Acknowledges what comes, as it comes, until `end` is reached. Returns whether it was. */
  async receive(end: number, options: RawSend & { patienceMs?: number } = {}): Promise<boolean> {
    const done = this.place.begin(`receive until ${end}`);
    const deadline = Date.now() + (options.patienceMs ?? 3000);
    let acknowledged = -1;
    for (;;) {
      const some = this.segments.splice(0).some(({ payload }) => payload.length > 0);
      if (some || this.received > acknowledged) {
        acknowledged = this.received;
        await this.send('.', options);
      }
      if (acknowledged >= end || Date.now() > deadline) break;
      // More has come while the acknowledgement was on its way out.
      if (this.received > acknowledged) continue;
      await this.arrival(deadline - Date.now());
    }
    done(this.received >= end ? 'it came' : `${this.received} came`);
    return this.received >= end;
  }

  /** Waits for any segment and takes all that have come: a SYN, whatever its flags say about ECN. */
  async hears(patienceMs = 3000): Promise<RawSegment | undefined> {
    const done = this.place.begin('hears');
    await this.arrival(patienceMs);
    const [first] = this.segments.splice(0);
    done(first ? 'something' : 'nothing');
    return first;
  }

  /** Resolves when something is there to be taken from `segments`, or when `ms` have passed. */
  arrival(ms: number): Promise<void> {
    if (this.segments.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, ms));
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** A client's handshake, or a server's answer to one. Why the exchange of the place did not come about behind it, or ''. */
  async open(options: SegmentOptions = { mss: 1460 }, send: RawSend = {}): Promise<string> {
    if (this.place.end === 'client') {
      await this.send('S', { ...send, options });
      await this.expect('S.');
      await this.send('.', { ...send });
    } else {
      await this.expect('S');
      await this.send('S.', { ...send, options });
      // With an exchange, the request is what follows.
      if (!this.place.exchange) await this.expect('.');
    }
    return this.exchange(send);
  }

  /** Its half of the exchange of the place, if that has one; behind it relative numbers begin anew. Why it failed, or ''. */
  exchange(send: RawSend = {}): Promise<string> {
    return exchangeByHand(this, send);
  }

  /** The other end has given up, for a reason that is no segment. */
  over(): void {
    this.#over = true;
  }

  /** It was reset, by either end, or given up. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Nothing of this connection stays behind in the middle or at the other end. */
  async clean(): Promise<void> {
    if (this.#over || this.peerIsn === undefined) return;
    await this.send('R.');
  }

  /** Any packet that has come here. `gsoSize`: what the segments of it carried before the kernel put them together; 0: it is one. */
  hear(bytes: Uint8Array, gsoSize = 0): void {
    const ip = parseIp(bytes);
    if (!ip.ok || ip.protocol !== 6 || ip.fragment) return;
    const mine = Buffer.from(parseAddress(this.place.address) as Uint8Array);
    if (!mine.equals(addressOf(bytes, ip.version, ip.dst))) return;
    const tcp = parseTcp(bytes, ip.headerLength, ip.totalLength);
    if (!tcp.ok || tcp.destinationPort !== this.port) return;
    if (tcp.flags & tcpFlags.syn && this.peerIsn === undefined) {
      this.peerIsn = tcp.seq;
      this.peerPort = tcp.sourcePort;
      this.peerAddress = addressOf(bytes, ip.version, ip.src);
    }
    if (tcp.sourcePort !== this.peerPort) return;
    const payload = bytes.slice(ip.headerLength + tcp.dataOffset, ip.totalLength);
    const segment = { ...tcp, payload, ip, packet: bytes.slice(0, ip.totalLength) };
    this.largest = Math.max(this.largest, gsoSize || payload.length);
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
