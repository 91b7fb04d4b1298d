import { latin1, type Reader, type Seen } from './seen.js';

/** RFC 9113 section 3.4. */
const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/** HTTP/2 with prior knowledge: its connection preface, all of it. */
export const http2Reader: Reader = {
  read(bytes, ended) {
    const begin = latin1(bytes, 0, Math.min(bytes.length, preface.length));

    if (begin === preface) return { protocol: 'http2' };
    return preface.startsWith(begin) && !ended ? 'more' : 'no';
  },
};

/** The longest `SSH-protoversion-` that is read: versions are 2.0, 1.99 and older ones like 1.5. */
const maxVersion = 'SSH-99.99-'.length;

/**
 * The identification of SSH, from either end (RFC 4253 section 4.2): told when the protocol version is there. A server
 * may send other lines before it; none that we know of does, and such a line is a greeting like any other.
 */
export const sshReader: Reader = {
  read(bytes, ended) {
    const begin = latin1(bytes, 0, Math.min(bytes.length, maxVersion));

    if (/^SSH-\d{1,2}\.\d{1,2}-/.test(begin)) return { protocol: 'ssh' };
    return mayBecomeSsh(begin) && !ended ? 'more' : 'no';
  },
};

function mayBecomeSsh(begin: string): boolean {
  return 'SSH-'.startsWith(begin) || /^SSH-\d{1,2}(\.\d{0,2})?$/.test(begin);
}

/**
 * An SMTP client that does not wait for the greeting. `EHLO ` could also begin an HTTP request with a method of that
 * name, which nobody has defined.
 */
export const smtpClientReader: Reader = {
  read(bytes, ended) {
    const begin = latin1(bytes, 0, Math.min(bytes.length, 'EHLO '.length)).toUpperCase();
    const commands = ['EHLO ', 'HELO '];

    if (commands.includes(begin)) return { protocol: 'smtp' } satisfies Seen;
    return commands.some((command) => command.startsWith(begin)) && !ended ? 'more' : 'no';
  },
};
