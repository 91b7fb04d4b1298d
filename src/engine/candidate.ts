/** What a decision sees of a held connection, worked out only as far as it looks: most decide on a port or a byte. */
import type { Endpoint, HandshakeRecord } from '../flow/record.js';
import { SegmentView } from '../wire/view.js';
import type { Candidate } from './decision.js';
import { sideOf } from './direct.js';
import { CLIENT, type Identity, SERVER } from './taken.js';

const view = new SegmentView();

export class HeldCandidate implements Candidate {
  readonly #identity: Identity;
  readonly #first: Uint8Array;
  #client: Endpoint | undefined;
  #server: Endpoint | undefined;
  #handshake: HandshakeRecord | undefined;
  #bytes: Uint8Array | undefined;

  constructor(identity: Identity, first: Uint8Array) {
    this.#identity = identity;
    this.#first = first;
  }

  get client(): Endpoint {
    this.#client ??= this.#identity.endpoint(CLIENT);
    return this.#client;
  }
  get server(): Endpoint {
    this.#server ??= this.#identity.endpoint(SERVER);
    return this.#server;
  }
  get handshake(): HandshakeRecord {
    this.#handshake ??= this.#identity.record();
    return this.#handshake;
  }
  get rule(): number {
    return this.#identity.rule;
  }
  get from(): 'client' | 'server' {
    view.parse(this.#first, this.#first.length);
    return sideOf(this.#identity, view) === CLIENT ? 'client' : 'server';
  }
  get bytes(): Uint8Array {
    if (!this.#bytes) {
      view.parse(this.#first, this.#first.length);
      const at = view.payloadOffset;
      // A copy: what is posted to another thread must not take node's whole pool along.
      this.#bytes = new Uint8Array(this.#first.subarray(at, at + view.payloadLength));
    }
    return this.#bytes;
  }

  /** All of it, as a message can carry it. */
  whole(): Candidate {
    const { client, server, handshake, rule, from, bytes } = this;
    return { client, server, handshake, rule, from, bytes };
  }
}
