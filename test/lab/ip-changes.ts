/** What a middle or an odd end may do to an IP packet: options, extension headers, fragments. */

/** Puts so many bytes of NOP options (RFC 791 section 3.1) behind the IPv4 header. */
export const withOptions = (bytes: number) => (packet: Uint8Array) => {
  const out = new Uint8Array(packet.length + bytes);
  out.set(packet.subarray(0, 20));
  out.fill(1, 20, 20 + bytes);
  out.set(packet.subarray(20), 20 + bytes);
  out[0] = 0x45 + bytes / 4;
  putLength4(out);
  return out;
};

/** Puts extension headers of 8 bytes each in front of the TCP header (RFC 8200 section 4): padding, or no segments left. */
export const withHeaders =
  (...kinds: number[]) =>
  (packet: Uint8Array) => {
    const extra = kinds.length * 8;
    const out = new Uint8Array(packet.length + extra);
    out.set(packet.subarray(0, 40));
    out.set(packet.subarray(40), 40 + extra);
    out[6] = kinds[0] as number;
    kinds.forEach((kind, i) => {
      const at = 40 + i * 8;
      out[at] = kinds[i + 1] ?? 6;
      // PadN (RFC 8200 section 4.2); in a routing header, the experimental type of RFC 4727 with no segments left.
      if (kind === 43) out[at + 2] = 253;
      else out.set([1, 4], at + 2);
    });
    putLength6(out);
    return out;
  };

let identification = 1;

/** The packet in fragments of so many bytes, a multiple of 8, of what follows the IP header. */
export const inFragments = (bytes: number) => (packet: Uint8Array) => {
  const four = (packet[0] as number) >> 4 === 4;
  const at = four ? 20 : 40;
  const body = packet.subarray(at);
  const id = identification++;
  const pieces: Uint8Array[] = [];
  for (let offset = 0; offset < body.length; offset += bytes) {
    const piece = body.subarray(offset, offset + bytes);
    const more = offset + bytes < body.length;
    pieces.push(
      four ? fragment4(packet, id, offset, more, piece) : fragment6(packet, id, offset, more, piece),
    );
  }
  return pieces;
};

function fragment4(packet: Uint8Array, id: number, offset: number, more: boolean, piece: Uint8Array) {
  const out = Uint8Array.from([...packet.subarray(0, 20), ...piece]);
  const view = new DataView(out.buffer);
  view.setUint16(4, id);
  view.setUint16(6, (more ? 0x2000 : 0) | (offset / 8));
  putLength4(out);
  return out;
}

function fragment6(packet: Uint8Array, id: number, offset: number, more: boolean, piece: Uint8Array) {
  const header = new DataView(new ArrayBuffer(8));
  header.setUint8(0, packet[6] as number);
  header.setUint16(2, offset | (more ? 1 : 0));
  header.setUint32(4, id);
  const out = Uint8Array.from([...packet.subarray(0, 40), ...new Uint8Array(header.buffer), ...piece]);
  out[6] = 44;
  putLength6(out);
  return out;
}

function putLength4(packet: Uint8Array): void {
  const view = new DataView(packet.buffer);
  view.setUint16(2, packet.length);
  view.setUint16(10, 0);
  let sum = 0;
  for (let i = 0; i < ((packet[0] as number) & 15) * 4; i += 2) sum += view.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  view.setUint16(10, ~sum & 0xffff);
}

function putLength6(packet: Uint8Array): void {
  new DataView(packet.buffer).setUint16(4, packet.length - 40);
}
