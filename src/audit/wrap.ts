/**
 * For boxes that let only one protocol through: each connection of a case begins with an exchange of that protocol, behind which
 * the box owes both ends a plain stream of bytes. For HTTP that is an upgrade (RFC 9110 section 7.8). A body would not do: a box may
 * hold it until it has all of it, and its length would have to be known before the case knows it.
 */
import { createHash } from 'node:crypto';

export const wraps = ['http'] as const;
export type WrapName = (typeof wraps)[number];

export interface Exchange {
  /** What the client says first. */
  request: string;
  response: string;
  /** Whether the server has agreed, by what has come to the client. */
  agreed(response: string): boolean;
}

/** What both say at the end of a head, and how long one may be. */
export const headEnd = '\r\n\r\n';
export const longestHead = 8192;

/** Boxes that know one upgrade know this one. What follows is no frame of it: a box that has passed 101 on reads no further. */
const key = Buffer.from('desplice-audit-0').toString('base64');
const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

function httpUpgrade(address: string, port: number): Exchange {
  const head = (...lines: string[]) =>
    `${[...lines, 'Connection: Upgrade', 'Upgrade: websocket'].join('\r\n')}${headEnd}`;
  return {
    request: head(
      'GET /audit HTTP/1.1',
      // An address, and the one that the client has connected to: boxes compare the two.
      `Host: ${address.includes(':') ? `[${address}]` : address}:${port}`,
      'User-Agent: desplice-audit',
      `Sec-WebSocket-Key: ${key}`,
      'Sec-WebSocket-Version: 13',
    ),
    response: head('HTTP/1.1 101 Switching Protocols', `Sec-WebSocket-Accept: ${accept}`),
    agreed: (response) => /^HTTP\/1\.1 101 /.test(response),
  };
}

/** The exchange with which a connection to this address and port begins. */
export function exchangeOf(name: WrapName, address: string, port: number): Exchange {
  return { http: httpUpgrade }[name](address, port);
}

/** Why there is no stream behind this answer, or ''. */
export function disagreed({ agreed }: Exchange, response: string, end = 'nothing'): string {
  return agreed(response)
    ? ''
    : `the box answered the request to upgrade by: ${response.split('\r\n')[0] || end}`;
}
