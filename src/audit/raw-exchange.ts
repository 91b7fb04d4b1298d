/** The exchange with which a connection without a kernel begins, and behind which its relative numbers begin anew. */
import { seqAdd } from '../wire/seq.js';
import type { RawConnection } from './raw-connection.js';
import type { RawSend } from './raw-segment.js';
import { disagreed, headEnd, longestHead } from './wrap.js';

const patienceMs = 3000;

/** One end's half of it, where the place has one. Why it failed, or ''. `send`: what each of its segments says besides. */
export async function exchangeByHand(connection: RawConnection, send: RawSend): Promise<string> {
  const { exchange, end } = connection.place;
  if (!exchange) return '';
  if (end === 'client') {
    await sendHead(connection, exchange.request, send);
    return disagreed(exchange, await receiveHead(connection, send));
  }
  if (!(await receiveHead(connection, send))) return 'no request reached the server';
  await sendHead(connection, exchange.response, send);
  return '';
}

async function sendHead(connection: RawConnection, text: string, send: RawSend): Promise<void> {
  const payload = Buffer.from(text);
  await connection.send('P.', { ...send, payload });
  connection.isn = seqAdd(connection.isn, payload.length);
  connection.next -= payload.length;
}

/** All up to the end of a head; '' when it has not come in time. */
async function receiveHead(connection: RawConnection, send: RawSend): Promise<string> {
  let text = '';
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline && !connection.isOver; ) {
    for (const { seq, payload } of connection.segments.splice(0)) {
      const known = text.length + 1 - ((seq - (connection.peerIsn ?? seq)) | 0);
      if (known >= 0 && known < payload.length)
        text += Buffer.from(payload.subarray(known)).toString('latin1');
    }
    const at = text.indexOf(headEnd);
    if (at >= 0) {
      await connection.send('.', send);
      connection.peerIsn = seqAdd(connection.peerIsn ?? 0, at + headEnd.length);
      connection.received -= at + headEnd.length;
      connection.lengths.length = 0;
      connection.largest = 0;
      return text;
    }
    if (text.length >= longestHead) return '';
    if (text) await connection.send('.', { ...send, ack: text.length + 1 });
    await connection.arrival(deadline - Date.now());
  }
  return '';
}
