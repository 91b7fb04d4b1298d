/** TCP options that two ordinary sockets cannot carry, as they stand in a SYN. */
export interface Foreign {
  /** As in `forwarded.byOption`. */
  name: string;
  what: string;
  bytes: number[];
  standard: string;
  /** False: `unsupported: strip` leaves it where it is. */
  strippable: boolean;
}

const hex = (text: string) => [...Buffer.from(text, 'hex')];

export const foreign: readonly Foreign[] = [
  {
    name: 'mptcp',
    what: 'mp-capable',
    bytes: hex('1e0401810101'),
    standard: 'RFC 8684 section 3.1; without an answer the client goes on as usual (section 3.7)',
    strippable: true,
  },
  {
    name: 'mptcp',
    what: 'mp-join',
    bytes: hex('1e0c1001aabbccdd11223344'),
    standard: 'RFC 8684 section 3.2: a subflow of a connection that began elsewhere',
    strippable: false,
  },
  {
    name: 'md5',
    what: 'md5',
    bytes: hex(`1312${'5a'.repeat(16)}`),
    standard: 'RFC 2385 section 2: signs addresses, flags, numbers and data of each segment',
    strippable: false,
  },
  {
    name: 'tcpAo',
    what: 'tcp-ao',
    bytes: hex(`1d100102${'5a'.repeat(12)}`),
    standard: 'RFC 5925 section 5.1: signs each segment, options included',
    strippable: false,
  },
  {
    name: 'eno',
    what: 'eno',
    bytes: hex('450321'),
    standard: 'RFC 8547 section 4.6: without an answer the client goes on as usual',
    strippable: true,
  },
  {
    name: 'accEcn',
    what: 'accecn-0',
    bytes: hex('ac05000001'),
    standard: 'RFC 9768 section 3.2.3: AccECN Order 0',
    strippable: true,
  },
  {
    name: 'accEcn',
    what: 'accecn-1',
    bytes: hex('ae05000001'),
    standard: 'RFC 9768 section 3.2.3: AccECN Order 1',
    strippable: true,
  },
  {
    name: 'experimental',
    what: 'experiment-253',
    bytes: hex('fd0412340101'),
    standard: 'RFC 6994 section 3: shared options for experiments',
    strippable: true,
  },
  {
    name: 'experimental',
    what: 'experiment-254',
    bytes: hex('fe06e2d4c3d9'),
    standard: 'RFC 6994 section 3; this one is of RFC 7609',
    strippable: true,
  },
  {
    name: '77',
    what: 'unknown-77',
    bytes: hex('4d050badca'),
    standard:
      'RFC 9293 section 3.1 (MUST-6): an end ignores what it does not know; a middle cannot know who does',
    strippable: true,
  },
];

/** Bytes of options up to a multiple of 4, as an end pads them. */
export const padded = (bytes: readonly number[]): number[] => [
  ...bytes,
  ...Array<number>(-bytes.length & 3).fill(1),
];
