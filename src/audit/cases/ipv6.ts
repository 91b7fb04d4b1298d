import { putU16 } from '../../wire/bytes.js';
import { type AuditCase, found } from '../case.js';
import { flagsOf } from '../raw-segment.js';
import { connectedTalk, deliver, segmentText, shakeHands } from './talk.js';

export const ipv6: AuditCase[] = [
  {
    id: 'flow-label-stable',
    group: 'ipv6',
    faults: [49],
    by: 'raw',
    families: [6],
    right: 'the flow label is that of the sender, and the same for all packets of a connection',
    standard: 'RFC 6437 sections 2 and 3',
    consequence: 'packets of one connection take different paths, and arrive in another order',
    mend: 'give each leg the label of the other one',
    sent: 'labels abcde and 12345 on all packets of the client and the server',
    async run(stage) {
      const [mine, yours] = [0xabcde, 0x12345];
      const { c, s, syn, synAck } = await connectedTalk(stage, {
        syn: { flowLabel: mine },
        synAck: { flowLabel: yours },
      });
      await c.send('P.', { length: 100, flowLabel: mine });
      await s.receive(101, { flowLabel: yours });
      await s.send('P.', { length: 100, flowLabel: yours });
      await c.receive(101, { flowLabel: mine });
      const there = [syn.ip.flowLabel, s.last?.ip.flowLabel ?? -1];
      const back = [synAck.ip.flowLabel, c.last?.ip.flowLabel ?? -1];
      const text = (labels: number[]) => labels.map((label) => label.toString(16)).join(', then ');
      return found(
        { client: text(back), server: text(there) },
        [
          there[0] !== there[1] && 'the label changes between the SYN and the data',
          back[0] !== back[1] && 'the label changes between the SYN-ACK and the data',
        ],
        (there[0] !== mine || back[0] !== yours) &&
          'the label was changed, to one and the same for all packets',
      );
    },
  },
  {
    id: 'extension-headers-consistent',
    group: 'ipv6',
    faults: [48],
    by: 'raw',
    families: [6],
    right: 'packets with extension headers pass, or all of them are dropped; none is answered by the box',
    standard: 'RFC 7045 section 2.1',
    consequence: 'connections that use them open and then stall, or are reset',
    mend: 'leave such connections alone from their SYN on',
    sent: 'SYN and data with a destination options header that asks for nothing',
    async run(stage) {
      const options = { options: { mss: 1400 } };
      const hands = { syn: options, synAck: options, change: withDestinationOptions };
      const { c, s, syn, synAck } = await shakeHands(stage, hands);
      const came = syn && synAck ? await deliver(c, s, 100) : false;
      c.change = (packet) => packet;
      const reset = synAck !== undefined && (synAck.flags & flagsOf('R')) !== 0;
      return found(
        {
          client: segmentText(synAck),
          server: `${segmentText(syn)}; data ${came ? 'came' : 'did not come'}`,
        },
        [
          !syn && synAck && 'the box answered a SYN that the server never saw',
          reset && 'the client was reset',
          syn && synAck && !reset && !came && 'the SYN passed, and the data did not',
        ],
        !syn && 'packets with extension headers are dropped',
      );
    },
  },
  {
    id: 'extension-headers-first-data',
    group: 'ipv6',
    faults: [48],
    by: 'raw',
    families: [6],
    right: 'an extension header that appears with the first data disturbs nothing',
    standard: 'RFC 7045 section 2.1',
    consequence: 'the data is lost, or reaches the server twice',
    mend: 'walk the extension headers up to TCP',
    sent: 'a usual handshake, then data with a destination options header',
    async run(stage) {
      const { c, s } = await shakeHands(stage);
      c.change = withDestinationOptions;
      const came = await deliver(c, s, 100);
      c.change = (packet) => packet;
      return found(
        { client: 'sent 100 bytes', server: `${s.received - 1} bytes` },
        [],
        !came && 'the data did not arrive: packets with extension headers are dropped',
      );
    },
  },
];

/** Eight bytes: next header TCP, length 0, and a PadN option (RFC 8200 sections 4.2 and 4.6). */
function withDestinationOptions(packet: Uint8Array): Uint8Array {
  const header = [packet[6] as number, 0, 1, 4, 0, 0, 0, 0];
  const changed = Uint8Array.from([...packet.subarray(0, 40), ...header, ...packet.subarray(40)]);
  changed[6] = 60;
  putU16(changed, 4, changed.length - 40);
  return changed;
}
