/** A bare ACK, written over and over into one buffer: the takeover needs two a flow, so that it must make no garbage. */
import { putU16, putU32 } from './bytes.js';
import { foldChecksum, sum16 } from './checksum.js';

const TCP_ACK = 16;

export class AckWriter {
  /** The packet of the last `write`; longer than it is. */
  readonly packet = new Uint8Array(72);

  /**
   * Fills `packet` and returns its length. Addresses are 16 bytes at an offset of `bytes`, IPv4 v4-mapped; `window` is as
   * on the wire. `timestamps` false: no option, and the two values are ignored.
   */
  write(
    family: 4 | 6,
    bytes: Uint8Array,
    source: number,
    sourcePort: number,
    destination: number,
    destinationPort: number,
    seq: number,
    ack: number,
    window: number,
    timestamps: boolean,
    tsval: number,
    tsecr: number,
  ): number {
    const p = this.packet;
    const at = family === 4 ? 20 : 40;
    const tcpLength = timestamps ? 32 : 20;
    p.fill(0, 0, at + tcpLength);
    const skip = family === 4 ? 12 : 0;
    const addresses = family === 4 ? 12 : 8;
    const size = 16 - skip;
    for (let i = 0; i < size; i++) {
      p[addresses + i] = bytes[source + skip + i] as number;
      p[addresses + size + i] = bytes[destination + skip + i] as number;
    }
    if (family === 4) {
      p[0] = 0x45;
      putU16(p, 2, at + tcpLength);
      p[6] = 0x40;
      p[8] = 64;
      p[9] = 6;
      putU16(p, 10, foldChecksum(sum16(p, 0, 20)));
    } else {
      p[0] = 0x60;
      putU16(p, 4, tcpLength);
      p[6] = 6;
      p[7] = 64;
    }
    putU16(p, at, sourcePort);
    putU16(p, at + 2, destinationPort);
    putU32(p, at + 4, seq);
    putU32(p, at + 8, ack);
    p[at + 12] = (tcpLength / 4) << 4;
    p[at + 13] = TCP_ACK;
    putU16(p, at + 14, window);
    if (timestamps) {
      putU32(p, at + 20, 0x0101080a);
      putU32(p, at + 24, tsval);
      putU32(p, at + 28, tsecr);
    }
    // The pseudo header: the addresses lie right before the TCP header in both families (RFC 9293 3.1, RFC 8200 8.1).
    putU16(p, at + 16, foldChecksum(sum16(p, addresses, at + tcpLength, 6 + tcpLength)));
    return at + tcpLength;
  }
}
