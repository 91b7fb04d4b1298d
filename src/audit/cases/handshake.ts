import { type AuditCase, found } from '../case.js';
import { shakeHands } from './talk.js';

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
      return found({ client: synAck ? 'a SYN-ACK' : 'nothing', server: syn ? 'a SYN' : 'nothing' }, [
        !syn && 'the SYN did not reach the server',
        !synAck && 'no SYN-ACK reached the client',
      ]);
    },
  },
];
