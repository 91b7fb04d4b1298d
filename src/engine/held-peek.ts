/** Reads what is held of a connection: the first bytes of the end that spoke first, as far as they are there in order. */
import { Peeker, type Seen } from '../peek/peek.js';
import { Flag, type SegmentView } from '../wire/view.js';
import { sideOf } from './direct.js';
import { CLIENT, type Identity, type Side } from './taken.js';

export class HeldPeek {
  readonly from: Side;
  readonly #peeker: Peeker;
  #next: number;

  /** `view` shows the first segment that was held. */
  constructor(
    readonly identity: Identity,
    view: SegmentView,
  ) {
    this.from = sideOf(identity, view);
    this.#peeker = new Peeker(this.from === CLIENT ? 'client' : 'server');
    this.#next = (identity.sides[this.from].isn + 1) >>> 0;
  }

  /** What it is, as soon as it can be told. `view` is used to read with. */
  read(packets: readonly Uint8Array[], view: SegmentView): Seen | 'more' {
    for (const packet of packets) {
      if (!view.parse(packet, packet.length) || sideOf(this.identity, view) !== this.from) continue;
      const fresh = (this.#next - view.sequence) | 0;
      if (fresh < 0 || fresh > view.payloadLength) continue;
      if (fresh < view.payloadLength) {
        if (!view.checksumIsRight(packet)) continue;
        const seen = this.#peeker.feed(
          packet.subarray(view.payloadOffset + fresh, view.payloadOffset + view.payloadLength),
        );
        if (seen !== 'more') return seen;
        this.#next = (view.sequence + view.payloadLength) >>> 0;
      }
      if (view.flags & Flag.FIN) return this.#peeker.end();
    }
    return 'more';
  }
}
