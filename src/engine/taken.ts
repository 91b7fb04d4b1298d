/** A taken flow as its worker keeps it: two sockets, and for each direction what is in transit. */
import { type Endpoint, formatEndpoint } from '../flow/record.js';
import type { FlowInfo, FlowState } from '../flow/stats.js';
import type { Pipe } from '../kernel/splice.js';
import { payloadSent } from '../kernel/tcp_info.js';
import type { Seen } from '../peek/seen.js';
import { formatAddress } from '../wire/address.js';
import type { HeldSegments } from './held-segments.js';
import type { KeptFlows } from './keep/writer.js';
import {
  FLOW_ACKED,
  FLOW_EDGE,
  FLOW_ID,
  FLOW_LAST,
  FLOW_LIVE,
  FLOW_ROOM,
  FLOW_SAID,
  FLOW_SHOWN,
  HANDSHAKE_BYTES,
  HANDSHAKE_CLIENT,
  HANDSHAKE_GENERATION,
  HANDSHAKE_RTT,
  HANDSHAKE_RULE,
  Has,
  handshakeRecord,
  KEY_BYTES,
  SIDE_BYTES,
  SideView,
} from './layout.js';

/** Which socket, and which direction by its source: 0 faces the client, 1 the server. */
export type Side = 0 | 1;
export const CLIENT = 0;
export const SERVER = 1;

/** What one direction has in the middle; its source is the socket of the same index. */
export class Direction {
  pipe: Pipe | null = null;
  /** Bytes in the pipe. */
  queued = 0;
  /** Bytes that a handler had read already, to be sent before anything else. */
  pending: Uint8Array | null = null;
  /** A burst filled the small buffer: from now on by splice(2). */
  streaming = false;
  /** A FIN, an error or urgent data is there: a short read does not mean that the queue is empty. */
  readToEnd = false;
  /** Its FIN is in the queue behind what we have not read, and nothing else is. */
  finNext = false;
  /** Urgent data is there or on its way: bytes are read up to its mark, never spliced past it. */
  urgent = false;
  /** `pending` is the one byte that carries the mark. */
  pendingUrgent = false;
  /** The byte with the mark is left in its source until the target has room for it. */
  urgentWaits = false;
  eof = false;
  finSent = false;
  /** TCP_NODELAY is set on the target: from the second send on, so that what an end sent at once goes on at once. */
  noDelay = false;
  /** It was blocked once: from then on, room in the target raises an event. */
  outputWatched = false;
  bytes = 0;
}

/** Bytes that `side` has last said it can take. The window of a SYN is never scaled (RFC 7323 section 2.2). */
export function windowOf(side: SideView, scaled: boolean): number {
  return scaled && side.has & Has.SCALED_WINDOW ? side.window << side.scale : side.window;
}

/** The 4-tuple and handshake of a flow, copied from the kernel's map. */
export class Identity {
  readonly key: Uint8Array;
  readonly handshake: Uint8Array;
  readonly clientSide: 0 | 1;
  readonly sides: [SideView, SideView];

  constructor(key: Uint8Array, handshake: Uint8Array) {
    // Copies, in node's pool: memory of their own would be two calls of malloc(3) for each flow, since C functions get them.
    const own = Buffer.allocUnsafe(KEY_BYTES + HANDSHAKE_BYTES);
    own.set(key);
    own.set(handshake, KEY_BYTES);
    this.key = own.subarray(0, KEY_BYTES);
    this.handshake = own.subarray(KEY_BYTES);
    this.clientSide = this.handshake[HANDSHAKE_CLIENT] === 1 ? 1 : 0;
    const at = (side: Side) => (side === CLIENT ? this.clientSide : 1 - this.clientSide);
    this.sides = [
      new SideView(this.handshake, at(CLIENT) * SIDE_BYTES),
      new SideView(this.handshake, at(SERVER) * SIDE_BYTES),
    ];
  }

  /** What both ends have said, of Has: what they agreed on. */
  get agreed(): number {
    return this.sides[CLIENT].has & this.sides[SERVER].has;
  }
  get family(): 4 | 6 {
    const k = this.key;
    for (let i = 0; i < 10; i++) if (k[i] !== 0) return 6;
    return k[10] === 0xff && k[11] === 0xff ? 4 : 6;
  }
  /** Index of the rule that selected it, in the generation `rules` of the rules. */
  get rule(): number {
    return this.handshake[HANDSHAKE_RULE] as number;
  }
  /** Milliseconds to that end and back, as the handshake took; 0: not known. */
  roundTripMs(side: Side): number {
    const at = HANDSHAKE_RTT + 2 * (side === CLIENT ? this.clientSide : 1 - this.clientSide);
    return (this.handshake[at] as number) | ((this.handshake[at + 1] as number) << 8);
  }
  /** The lower 16 bits. */
  get rules(): number {
    const at = HANDSHAKE_GENERATION;
    return (this.handshake[at] as number) | ((this.handshake[at + 1] as number) << 8);
  }
  /** Offset of an end's 16-byte address in the key. */
  addressOffset(side: Side): number {
    return (side === CLIENT ? this.clientSide : 1 - this.clientSide) * 16;
  }
  port(side: Side): number {
    const at = 32 + (side === CLIENT ? this.clientSide : 1 - this.clientSide) * 2;
    return ((this.key[at] as number) << 8) | (this.key[at + 1] as number);
  }
  endpoint(side: Side): Endpoint {
    return {
      address: formatAddress(this.key, this.addressOffset(side)),
      port: this.port(side),
      family: this.family,
    };
  }
  /** The bit of `live` that says that what `side` sends may go to its socket. */
  liveBit(side: Side): number {
    return 1 << (side === CLIENT ? this.clientSide : 1 - this.clientSide);
  }
  record() {
    return handshakeRecord(this.handshake, this.clientSide);
  }
}

export class TakenFlow {
  readonly fds: [number, number] = [-1, -1];
  readonly directions: [Direction, Direction] = [new Direction(), new Direction()];
  state: FlowState = 'relay';
  /** The side whose reset is being passed on once the other has everything that came before it; -1: none. */
  resetFrom: Side | -1 = -1;
  /** Which sockets sent a FIN before they had received one: these end in TIME_WAIT. */
  readonly activeClose: [boolean, boolean] = [false, false];
  /** SYNs that reuse the ports, waiting until this flow is gone. */
  heldSyns: Uint8Array[] | null = null;
  /** For a handler's flow: which of its sockets the handler has closed. */
  readonly orphaned: [boolean, boolean] = [false, false];
  /** A socket of it was made by TCP_REPAIR, of which the tracker knows nothing. */
  byRepair = false;
  /** What its first bytes were, where somebody looked; and the module of the handler that this led to. */
  seen: Seen | null = null;
  module: string | null = null;
  /** It is released when so many bytes have passed, both ways together, or none for so many milliseconds since `active`. */
  releaseAfter = Infinity;
  idleMs = Infinity;
  active = 0;
  /** A release was refused, and is tried again after so many milliseconds; 0: none was. */
  retryPause = 0;
  /** Segments that the tracker has held of it and we have read. */
  read = 0;
  /** It is being released: what the ends send anew. */
  held: HeldSegments | null = null;
  /** It has been released; what was held is on its way to the other end. */
  left = false;
  started = Date.now();
  finished = false;
  /** Where it is written down for the next engine; null: nowhere, it ends with this one. */
  kept: KeptFlows | null = null;

  constructor(
    readonly worker: number,
    readonly index: number,
    readonly generation: number,
    readonly keyString: string,
    readonly identity: Identity,
    public action: 'relay' | 'handle',
  ) {}

  /** For people and programs: unique while the engine runs. */
  get id(): string {
    return `${this.worker}.${this.index}.${this.generation}`;
  }

  /** Its value in the map `flows`, as words: both sides as the handshake left them, `live`, and who it is. */
  fillEntry(value: Uint32Array, bytes: Uint8Array, live: number): void {
    for (let i = 0; i < FLOW_LIVE; i++) bytes[i] = this.identity.handshake[i] as number;
    value[FLOW_LIVE / 4] = live;
    value[FLOW_ID / 4] = this.index;
    value[FLOW_ID / 4 + 1] = this.generation;
    this.#fillArrival(value);
  }

  /** What the ends have said of each other's data: that they have the SYN. */
  #fillArrival(value: Uint32Array): void {
    const { agreed, clientSide, sides } = this.identity;
    for (const side of [CLIENT, SERVER] as const) {
      const at = side === CLIENT ? clientSide : 1 - clientSide;
      const [mine, other] = [sides[side], sides[side === CLIENT ? SERVER : CLIENT]];
      const begin = other.isn + 1;
      const scale = agreed & Has.WSCALE && mine.has & Has.SCALED_WINDOW ? mine.scale : 0;
      const edge = begin + mine.window * 2 ** scale;
      for (const offset of [FLOW_ACKED, FLOW_SAID]) value[offset / 4 + at] = begin;
      for (const offset of [FLOW_ROOM, FLOW_SHOWN, FLOW_EDGE]) value[offset / 4 + at] = edge;
      value[FLOW_LAST / 4 + at] = mine.isn + 1;
    }
  }

  /** Bytes that its handler has sent to `side` since the last time: the kernel has counted them. */
  handled(side: Side, queued: boolean): number {
    if (this.fds[side] < 0) return 0;
    const direction = this.directions[side === CLIENT ? SERVER : CLIENT];
    const sent = payloadSent(this.fds[side], queued);
    if (sent < 0) return 0;
    const before = direction.bytes;
    direction.bytes = sent;
    return sent - before;
  }

  info(): FlowInfo {
    const { client, server } = this.identity.record();
    const { isn: _c, ...clientSyn } = client;
    const { isn: _s, ...serverSyn } = server;
    return {
      id: this.id,
      client: formatEndpoint(this.identity.endpoint(CLIENT)),
      server: formatEndpoint(this.identity.endpoint(SERVER)),
      state:
        this.directions[0].finSent || this.directions[1].finSent
          ? 'closing'
          : this.held
            ? 'releasing'
            : this.state,
      action: this.action,
      since: new Date(this.started).toISOString(),
      bytes: { toServer: this.directions[CLIENT].bytes, toClient: this.directions[SERVER].bytes },
      handshake: { client: clientSyn, server: serverSyn },
      ...(this.seen ? { seen: this.seen } : {}),
    };
  }
}
