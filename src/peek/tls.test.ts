import { describe, expect, it } from 'vitest';
import { alpn, ascii, type Hello, helloMessage, inRecords, list16, sni } from './fixtures/build.js';
import { peekFirst } from './peek.js';

const see = (bytes: Uint8Array) => peekFirst('client', bytes, false);
const hello = (parts: Hello) => see(inRecords(helloMessage(parts)));
const usual: Hello = { extensions: [sni('www.example.com'), alpn('h2', 'http/1.1')] };
const seen = { protocol: 'tls', sni: 'www.example.com', alpn: ['h2', 'http/1.1'] };
const unknown = { protocol: 'unknown' };

describe('a ClientHello', () => {
  it.each([1, 2, 3, 4, 5, 100, 16384])('comes in records of %i bytes', (size) => {
    expect(see(inRecords(helloMessage(usual), size))).toEqual(seen);
  });

  it.each([0, 1, 3, 4, 0x7f])('comes with record version 3.%i', (version) => {
    expect(see(inRecords(helloMessage(usual), 16384, version))).toEqual(seen);
  });

  it('is read from the server, too: FTP over TLS may exchange the roles', () => {
    expect(peekFirst('server', inRecords(helloMessage(usual)), false)).toEqual(seen);
  });

  it('is read as soon as it is whole, whatever follows', () => {
    const bytes = inRecords(helloMessage(usual));

    expect(see(Uint8Array.from([...bytes, 0xff, 0xff]))).toEqual(seen);
    expect(see(bytes.subarray(0, -1))).toBe('more');
  });

  it('may say nothing but cipher suites', () => {
    expect(hello({ extensions: undefined })).toEqual({ protocol: 'tls' });
    expect(hello({ extensions: [] })).toEqual({ protocol: 'tls' });
  });

  it('gives its name in lower case without the last dot', () => {
    expect(hello({ extensions: [sni('WWW.Example.COM.')] })).toEqual({
      protocol: 'tls',
      sni: 'www.example.com',
    });
  });

  it('passes over GREASE', () => {
    const extensions: Hello['extensions'] = [
      [0x0a0a, []],
      sni('a.example'),
      alpn('\x5a\x5a', 'h2', '\xfa\xfa'),
      [0xfafa, [0]],
    ];

    expect(hello({ suites: [0x2a, 0x2a, 0x13, 0x01], extensions })).toEqual({
      protocol: 'tls',
      sni: 'a.example',
      alpn: ['h2'],
    });
    expect(hello({ extensions: [alpn('\x0a\x0a')] })).toEqual({ protocol: 'tls' });
  });

  it('shows the outer name of Encrypted Client Hello', () => {
    expect(hello({ extensions: [sni('public.example'), [0xfe0d, [0, 0, 1]]] })).toEqual({
      protocol: 'tls',
      sni: 'public.example',
    });
  });

  it('passes over types of names that are yet to come', () => {
    const content = list16([7, ...list16([1, 2, 3]), 0, ...list16(ascii('a.example'))]);

    expect(hello({ extensions: [[0, content]] })).toEqual({ protocol: 'tls', sni: 'a.example' });
  });

  it('gives protocol names that are not text as \\x', () => {
    expect(hello({ extensions: [alpn('a\\\x00\xff')] })).toEqual({
      protocol: 'tls',
      alpn: ['a\\x5c\\x00\\xff'],
    });
  });

  it('that cannot come whole within the limit is TLS, and no more', () => {
    expect(see(Uint8Array.of(22, 3, 1, 0, 4, 1, 1, 0, 0))).toEqual({ protocol: 'tls' });
  });
});

describe('what a server would refuse is unknown', () => {
  it.each([
    ['a long session id', { session: Array(33).fill(0) }],
    ['no cipher suite', { suites: [] }],
    ['half a cipher suite', { suites: [1, 2, 3] }],
    ['no compression method', { compression: [] }],
    ['bytes behind the extensions', { extensions: [], trailer: [0] }],
    ['half a length', { trailer: [0] }],
    ['an extension that is cut short', { trailer: [0, 5, 0, 0, 0, 9, 0] }],
    ['two server_name extensions', { extensions: [sni('a'), sni('a')] }],
    ['two ALPN extensions', { extensions: [alpn('a'), alpn('a')] }],
    ['two host names', { extensions: [sni('a', 'b')] }],
    ['no host name', { extensions: [sni()] }],
    ['an empty server_name', { extensions: [[0, []]] }],
    ['an empty host name', { extensions: [sni('')] }],
    ['a host name of a dot', { extensions: [sni('.')] }],
    ['a host name with a zero', { extensions: [sni('good.example\0.evil.example')] }],
    ['a host name beyond ASCII', { extensions: [sni('b\xfccher.example')] }],
    ['a host name of 256 bytes', { extensions: [sni('a'.repeat(256))] }],
    ['bytes behind the names', { extensions: [[0, [...sni('a')[1], 0]]] }],
    ['an empty protocol name', { extensions: [alpn('')] }],
    ['no protocol name', { extensions: [alpn()] }],
  ] as [string, Hello][])('%s', (_, parts) => {
    expect(hello(parts)).toEqual(unknown);
  });

  it.each([
    ['an empty record', [22, 3, 1, 0, 0]],
    ['a record that is too long', [22, 3, 1, 0x40, 1]],
    ['another version', [22, 2]],
    ['an alert', [21, 3, 1, 0, 2]],
    ['a ServerHello', [22, 3, 1, 0, 4, 2]],
    ['an alert within the message', [22, 3, 1, 0, 1, 1, 21]],
    ['SSL 2', [0x80, 0x2e, 1]],
  ])('%s', (_, bytes) => {
    expect(see(Uint8Array.from(bytes))).toEqual(unknown);
  });
});
