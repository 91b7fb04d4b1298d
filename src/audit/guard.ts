/**
 * What a client may ask of `audit serve`: listen on the ports of the audit and no others, and send raw packets only in the name of
 * those ports and only to whom the client is. Whoever reaches the control port gets no more than that.
 */
import { packetOf } from '../timeline/packet.js';
import { LinkType } from '../timeline/pcap.js';
import type { Ports } from './wiretap.js';

/** Names of `Calls`; `connect` is not among them: a server calls nobody. */
const calls = [
  'listen',
  'mute',
  'accept',
  'send',
  'write',
  'receive',
  'head',
  'urgentByte',
  'unread',
  'failure',
  'shutdown',
  'set',
  'info',
  'close',
] as const;

const options = [
  'SO_RCVBUF',
  'SO_SNDBUF',
  'SO_KEEPALIVE',
  'SO_OOBINLINE',
  'SO_LINGER',
  'IP_TTL',
  'TCP_NODELAY',
  'TCP_MAXSEG',
  'TCP_KEEPIDLE',
  'TCP_KEEPINTVL',
  'TCP_KEEPCNT',
  'TCP_QUICKACK',
];

/** What a read that keeps its bytes may keep. */
const mostKept = 65_536;

export interface Grounds {
  ports: Ports;
  /** The server's own address in this session. */
  address: string;
}

const inside = ({ first, last }: Ports, port: unknown): boolean =>
  Number.isInteger(port) && (port as number) >= first && (port as number) <= last;

/** Why a call is refused, or null. */
export function callRefused(name: unknown, args: readonly unknown[], grounds: Grounds): string | null {
  if (!calls.includes(name as (typeof calls)[number])) return `there is no call ${JSON.stringify(name)}`;
  if (name === 'listen' || name === 'mute') {
    const [, address, port, wanted = {}] = args;
    if (address !== grounds.address) return `${JSON.stringify(address)} is not the address of this session`;
    if (!inside(grounds.ports, port)) return `port ${JSON.stringify(port)} is none of the audit's`;
    const strange = Object.keys(wanted as object).find((each) => !options.includes(each));
    if (strange) return `the option ${strange} is not for a client to set`;
  }
  if (name === 'set' && !options.includes(args[1] as string)) return 'the option is not for a client to set';
  // Without a stream to compare with (seed 0) the bytes themselves are sent back.
  if (name === 'receive' && !args[2] && !(typeof args[1] === 'number' && args[1] <= mostKept)) {
    return 'that is too much to keep';
  }
  return null;
}

/** Why a raw packet is not sent, or null. `peers`: addresses from which something has come to the ports of the audit. */
export function packetRefused(
  bytes: Uint8Array,
  grounds: Grounds,
  peers: ReadonlySet<string>,
): string | null {
  const packet = packetOf({ time: 0, bytes, length: bytes.length }, LinkType.raw);
  if (!packet) return 'it is no IP packet';
  if (packet.source !== grounds.address)
    return `its source ${packet.source} is not the address of this session`;
  if (!peers.has(packet.destination)) return `nothing has come from its destination ${packet.destination}`;
  const { content } = packet;
  if (content.kind === 'tcp' && inside(grounds.ports, content.sourcePort)) return null;
  if (content.kind === 'icmp' && inside(grounds.ports, content.quoted.destinationPort)) return null;
  return 'it is neither a segment from a port of the audit nor an error about one to such a port';
}
