import { type AuditCase, found } from '../case.js';
import { icmpKind } from '../icmp-kinds.js';
import { finish, flagsOf } from '../raw-segment.js';
import { pause } from '../stage.js';
import { deliver, segmentText, shakeHands } from './talk.js';

const answersItself = 'let the server answer: hold the SYN, or connect to the server first';

export const handshake: AuditCase[] = [
  {
    id: 'handshake-passes',
    group: 'handshake',
    faults: [1],
    by: 'raw',
    right: 'a SYN reaches the server, and its SYN-ACK the client',
    standard: 'RFC 9293 section 3.5',
    consequence: 'nothing connects',
    mend: 'let the ports of the audit through',
    sent: 'a SYN with the usual options, and the answer to it',
    async run(stage) {
      const { syn, synAck } = await shakeHands(stage);
      return found({ client: segmentText(synAck), server: segmentText(syn) }, [
        !syn && 'the SYN did not reach the server',
        !synAck && 'no SYN-ACK reached the client',
      ]);
    },
  },
  {
    id: 'closed-port-refuses',
    group: 'handshake',
    faults: [1, 2],
    by: 'sockets',
    right: 'a connection to a port on which nobody listens is refused',
    standard: 'RFC 9293 section 3.5.2',
    consequence:
      'clients believe that they are connected to a server that is down; their fallback to another address never starts',
    mend: answersItself,
    sent: 'a connection to a closed port',
    async run(stage) {
      const c = await stage.connect({ ms: 4000 });
      const seen = c.error === '' ? 'connected' : c.error;
      return found({ client: seen, server: 'nobody listens' }, [
        c.error === '' && 'the client was connected to a port on which nobody listens',
        c.error === 'waiting' && 'the reset of the server did not reach the client',
        c.error !== 'ECONNREFUSED' && `the client saw ${seen} in place of a refusal`,
      ]);
    },
  },
  {
    id: 'silent-port-stays-silent',
    group: 'handshake',
    faults: [1, 2],
    by: 'raw',
    right: 'where the server says nothing, the client hears nothing',
    standard: 'RFC 9293 section 3.5: only the server makes a SYN-ACK; RFC 3135 section 4.1',
    consequence: 'clients believe that they are connected to a server that is not there',
    mend: answersItself,
    sent: 'a connection to a port that drops everything',
    async run(stage) {
      await stage.muteServer();
      const c = await stage.connect({ ms: 1500 });
      const seen = c.error === '' ? 'connected' : c.error;
      return found({ client: seen, server: 'said nothing' }, [
        c.error === '' && 'the client was connected, and the server has not said a word',
        c.error !== 'waiting' && `the client saw ${seen}, and the server has not said a word`,
      ]);
    },
  },
  {
    id: 'unreachable-reaches-client',
    group: 'handshake',
    faults: [2],
    by: 'raw',
    right: 'an ICMP error about the SYN reaches the client, whose connect() fails at once',
    standard: 'RFC 9293 section 3.9.2.2',
    consequence: 'clients wait for minutes in place of trying the next address',
    mend: 'pass ICMP errors about SYNs on to the client',
    sent: 'a SYN, answered by "host unreachable"',
    async run(stage) {
      const s = await stage.rawServer();
      const connecting = stage.connect({ ms: 2500 });
      const syn = await s.hears();
      if (syn) await s.icmp(syn, icmpKind('hostUnreachable', stage.family));
      const c = await connecting;
      s.over();
      const seen = c.error === '' ? 'connected' : c.error;
      return found({ client: seen, server: segmentText(syn) }, [
        c.error === '' && 'the client was connected, and the server is unreachable',
        !syn && 'the SYN did not reach the server',
        c.error === 'waiting' && 'the error did not reach the client',
      ]);
    },
  },
  {
    id: 'ecn-setup-syn-answered',
    group: 'handshake',
    faults: [3],
    by: 'raw',
    right: 'a SYN with ECE and CWR is answered like any other',
    standard: 'RFC 3360 section 2; RFC 3168 section 6.1.1',
    consequence: 'hosts that use ECN cannot connect, or wait for a second try without it',
    mend: 'never reset or drop a SYN for bits that you do not know',
    sent: 'a SYN with ECE and CWR',
    async run(stage) {
      const { syn, synAck } = await shakeHands(stage, { syn: { letters: 'SEW' } });
      return found({ client: segmentText(synAck), server: segmentText(syn) }, [
        !syn && 'the SYN did not reach the server',
        !synAck && 'no answer reached the client',
        synAck && !(synAck.flags & flagsOf('S')) && 'the SYN was answered by a reset',
      ]);
    },
  },
  {
    id: 'reserved-bits-answered',
    group: 'handshake',
    faults: [3],
    by: 'raw',
    right: 'a SYN with reserved bits set passes, and is answered',
    standard: 'RFC 3360 section 2; RFC 9293 section 3.1: reserved bits are ignored',
    consequence: 'what these bits will be used for cannot be deployed; ECN waited ten years for that reason',
    mend: 'ignore reserved bits',
    sent: 'a SYN with the three reserved bits set',
    async run(stage) {
      const reserved = 0x0e;
      const { c, s, syn, synAck } = await shakeHands(stage, {
        change: (packet) => withBits(packet, reserved),
      });
      c.change = s.change = (packet) => packet;
      const came = syn ? (syn.packet[syn.ip.headerLength + 12] as number) & reserved : 0;
      return found(
        { client: segmentText(synAck), server: syn ? `a SYN with reserved bits ${came >> 1}` : 'nothing' },
        [
          !syn && 'the SYN did not reach the server',
          !synAck && 'no answer reached the client',
          synAck && !(synAck.flags & flagsOf('S')) && 'the SYN was answered by a reset',
        ],
        came !== reserved && 'the reserved bits were cleared',
      );
    },
  },
  {
    id: 'syn-data-whole',
    group: 'handshake',
    faults: [4],
    by: 'raw',
    bare: 'data in the SYN comes before it',
    right: 'data in a SYN reaches the server once, or is not acknowledged',
    standard: 'RFC 9293 section 3.10.7.2; RFC 7413 section 4.2',
    consequence: 'the first request of a client that uses Fast Open is lost, or arrives twice',
    mend: 'pass data in SYNs on, or leave such connections alone',
    sent: 'a SYN with 50 bytes, repeated behind the handshake when they were not acknowledged',
    async run(stage) {
      const { c, s, syn, synAck } = await shakeHands(stage, { syn: { length: 50 }, synAck: { ack: 1 } });
      if (!syn || !synAck) {
        return found({ client: segmentText(synAck), server: segmentText(syn) }, [
          !syn ? 'the SYN did not reach the server' : 'no answer reached the client',
        ]);
      }
      const acknowledged = (synAck.ack - c.isn - 1) | 0;
      if (acknowledged <= 0) await c.send('P.', { seq: 1, length: 50 });
      await s.receive(51);
      const seen = {
        client: `${acknowledged} bytes acknowledged by the SYN-ACK`,
        server: `${s.received - 1} bytes`,
      };
      return found(seen, [
        s.received < 51 && (acknowledged > 0 ? 'data was acknowledged and lost' : 'the data did not arrive'),
        s.received > 51 && 'the data arrived twice',
      ]);
    },
  },
  {
    id: 'simultaneous-open',
    group: 'handshake',
    faults: [5],
    by: 'raw',
    bare: 'both ends open, and it has a client and a server',
    right: 'two SYNs that cross make one connection',
    standard: 'RFC 9293 section 3.5 (MUST-10); RFC 5382 REQ-2',
    consequence: 'peer-to-peer programs that open from both sides cannot connect',
    mend: 'follow both SYNs, or leave such connections alone',
    sent: 'a SYN from each end, then a SYN-ACK from each, then data both ways',
    async run(stage) {
      const s = await stage.rawServer();
      const c = await stage.rawClient();
      await c.send('S', { options: { mss: 1460 } });
      const [first, early] = await Promise.all([s.hears(700), c.hears(700)]);
      // A box that answers by itself asks the server later, if at all.
      const own = early !== undefined && (early.flags & flagsOf('.')) !== 0;
      if (own) await c.send('.');
      const syn = first ?? (await s.hears(own ? 2000 : 1));
      await s.send('S', { options: { mss: 1460 } });
      const crossed = early ?? (await c.hears());
      if (!own) await c.send('S.', { seq: 0, options: { mss: 1460 } });
      await s.send('S.', { seq: 0, options: { mss: 1460 } });
      await pause(50);
      const there = await deliver(c, s, 100);
      const back = await deliver(s, c, 100);
      const data = `data there: ${there ? 'yes' : 'no'}, back: ${back ? 'yes' : 'no'}`;
      return found(
        { client: `${segmentText(crossed)}; ${data}`, server: segmentText(syn) },
        [
          !syn && 'the SYN did not reach the server',
          !crossed && 'the SYN of the server did not reach the client',
          crossed && (crossed.flags & flagsOf('R')) !== 0 && 'the client was reset',
          !(there && back) && 'no data passed afterwards',
        ],
        own && 'the SYN of the client was answered before the SYNs had crossed',
      );
    },
  },
  {
    id: 'server-speaks-first',
    group: 'handshake',
    faults: [7],
    by: 'sockets',
    bare: 'in it, the client speaks first',
    right: 'a server that speaks first is heard, though the client says nothing',
    standard: 'RFC 9293 section 3.5: either end may send once the connection is there',
    consequence: 'mail, SSH, FTP and databases hang until the client gives up',
    mend: 'do not wait for bytes of the client',
    sent: '500 bytes of the server, none of the client',
    async run(stage) {
      const { c, s } = await stage.connected();
      await s.send(500);
      const read = await c.receive(500);
      return found({ client: `${read.bytes} bytes, ${read.end}`, server: 'sent 500 bytes' }, [
        read.bytes < 500 && 'what the server said first did not arrive',
        read.wrong >= 0 && `byte ${read.wrong} is wrong`,
      ]);
    },
  },
  {
    id: 'data-with-final-ack',
    group: 'handshake',
    faults: [46],
    by: 'raw',
    bare: 'data in the handshake comes before it',
    right: 'data in the segment that ends the handshake arrives',
    standard: 'RFC 9293 section 3.10.7.4, SYN-RECEIVED',
    consequence: 'clients that save a packet wait for a retransmission',
    mend: 'do not expect an empty third segment',
    sent: 'SYN, and for the SYN-ACK a first segment with 100 bytes',
    async run(stage) {
      const options = { options: { mss: 1460 } };
      const { s, syn, synAck } = await shakeHands(stage, {
        syn: options,
        synAck: options,
        third: { length: 100 },
      });
      const came = await s.receive(101);
      return found({ client: segmentText(synAck), server: syn ? `${s.received - 1} bytes` : 'nothing' }, [
        !synAck && 'no SYN-ACK reached the client',
        !came && 'the data did not arrive',
      ]);
    },
  },
  {
    id: 'sequence-numbers-as-sent',
    group: 'handshake',
    faults: [8],
    by: 'raw',
    right: 'initial sequence numbers arrive as the ends chose them',
    standard: 'RFC 9293 section 3.4.1',
    consequence:
      'whatever names sequence numbers elsewhere must be translated too: SACK blocks, ICMP quotes, signatures; boxes forget one',
    mend: 'switch the randomisation of sequence numbers off',
    sent: 'SYN and SYN-ACK with known sequence numbers',
    async run(stage) {
      const { c, s, syn, synAck } = await shakeHands(stage);
      if (!syn || !synAck || !(synAck.flags & flagsOf('S'))) {
        return found({ client: segmentText(synAck), server: segmentText(syn) }, 'no handshake came about');
      }
      const seen = {
        client: `SYN-ACK ${synAck.seq}, sent ${s.initial}`,
        server: `SYN ${syn.seq}, sent ${c.initial}`,
      };
      return found(
        seen,
        [],
        [
          syn.seq !== c.initial && 'the sequence number of the client was changed',
          synAck.seq !== s.initial && 'the sequence number of the server was changed',
        ],
      );
    },
  },
];

/** Sets bits of the byte that holds the data offset, and makes the checksum right. */
function withBits(packet: Uint8Array, bits: number): Uint8Array {
  const at = (packet[0] as number) >> 4 === 4 ? 20 : 40;
  if ((packet[at + 13] as number) !== flagsOf('S')) return packet;
  const changed = packet.slice();
  changed[at + 12] = (changed[at + 12] as number) | bits;
  return finish(changed, {});
}
