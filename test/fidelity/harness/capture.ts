import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import type { Lab, Role } from '../../../src/lab/index.js';
import { type Packet, packetOf } from '../../../src/timeline/packet.js';
import {
  type PcapHeader,
  pcapHeaderLength,
  readPcapHeader,
  readPcapRecords,
} from '../../../src/timeline/pcap.js';

/** UDP discard (RFC 863): nobody listens, and nothing else of ours goes there. */
const markerPort = 9;
/** Ethernet, the longest IPv6 header with a quoted one and TCP options; payload is checked at the ends. */
const snapshot = 256;

/** tcpdump at one end's own interface, for as long as the lab is up. */
export class Capture {
  readonly #file: number;
  #header: (PcapHeader & { ok: true }) | undefined;
  #rest = Buffer.alloc(0);
  #offset = 0;
  /** Read, and not yet asked for. */
  readonly #unasked: Packet[] = [];

  private constructor(
    readonly role: Role,
    readonly path: string,
    readonly child: ChildProcess,
  ) {
    this.#file = openSync(path, 'r');
  }

  static async start(lab: Lab, role: Role, path: string): Promise<Capture> {
    const filter = `tcp or icmp or icmp6 or ip6 or (udp and port ${markerPort})`;
    const argv = ['tcpdump', '-i', 'eth0', '-n', '-U', '--immediate-mode', '-Z', 'root', '-B', '32768'];
    const child = lab.spawn(role, [...argv, '-s', String(snapshot), '-w', path, filter], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('listening on')) resolve();
      });
      child.once('exit', () => reject(new Error(`tcpdump of the ${role} ended: ${said}`)));
    });
    return new Capture(role, path, child);
  }

  /** The packets since the last call, up to the datagram that says `marker`. */
  async until(marker: string): Promise<Packet[]> {
    const deadline = Date.now() + 5000;
    const isIt = ({ content }: Packet) =>
      content.kind === 'udp' && Buffer.from(content.payload).toString('latin1') === marker;
    for (;;) {
      this.#unasked.push(...this.#read());
      const at = this.#unasked.findIndex(isIt);
      // What stands behind the marker is for the next call.
      if (at >= 0) return this.#unasked.splice(0, at + 1).filter(({ content }) => content.kind !== 'udp');
      if (Date.now() > deadline) throw new Error(`the capture of the ${this.role} never showed ${marker}`);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(): Packet[] {
    const chunk = Buffer.alloc(1 << 20);
    const n = readSync(this.#file, chunk, 0, chunk.length, this.#offset);
    if (n === 0) return [];
    this.#offset += n;
    this.#rest = Buffer.concat([this.#rest, chunk.subarray(0, n)]);
    if (!this.#header) {
      if (this.#rest.length < pcapHeaderLength) return [];
      const header = readPcapHeader(this.#rest);
      if (!header.ok) throw new Error(`${this.path}: ${header.field}: ${header.reason}`);
      this.#header = header;
      this.#rest = this.#rest.subarray(pcapHeaderLength);
    }
    const header = this.#header;
    const records = readPcapRecords(header, this.#rest);
    if (!records.ok) throw new Error(`${this.path}: ${records.field}: ${records.reason}`);
    this.#rest = this.#rest.subarray(records.used);
    return records.frames.flatMap((frame) => packetOf(frame, header.linkType) ?? []);
  }
}
