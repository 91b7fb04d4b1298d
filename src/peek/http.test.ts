import { describe, expect, it } from 'vitest';
import { peekFirst } from './peek.js';

const see = (...lines: string[]) => {
  const text = [...lines, '', ''].join('\r\n');

  return peekFirst('client', new Uint8Array(Buffer.from(text, 'latin1')), false);
};
const unknown = { protocol: 'unknown' };
const host = (name: string, method = 'GET') => ({ protocol: 'http1', host: name, method });

describe('the head of a request', () => {
  it.each([
    [['GET / HTTP/1.1', 'Host: WWW.Example.com.:8080'], host('www.example.com')],
    [['GET / HTTP/1.1', 'a: b', 'hOsT:\t a.example \t', 'c: d'], host('a.example')],
    [['GET / HTTP/1.1', 'Host: [2001:DB8:0::1]:80'], host('2001:db8::1')],
    [['GET / HTTP/1.1', 'Host: 192.0.2.1:'], host('192.0.2.1')],
    [['GET / HTTP/1.1', 'Host:', '  a.example'], host('a.example')],
    [['GET / HTTP/1.1', 'x: y', '  Host: b.example', 'Host: a.example'], host('a.example')],
    [['', 'GET / HTTP/1.1', 'Host: a.example'], host('a.example')],
    [['M-SEARCH * HTTP/1.1', 'Host: a.example'], unknown],
    [['OPTIONS * HTTP/1.1', 'Host: a.example'], host('a.example', 'OPTIONS')],
    [['GET http://A.example:80/x HTTP/1.1', 'Host: b.example'], host('a.example')],
    [['GET http://u:p@a.example?q HTTP/1.0'], host('a.example')],
    [['CONNECT a.example:443 HTTP/1.1', 'Host: b.example'], host('a.example', 'CONNECT')],
    [['CONNECT [::1]:443 HTTP/1.1'], host('::1', 'CONNECT')],
    [['GET / HTTP/1.0'], { protocol: 'http1', method: 'GET' }],
    [['GET / HTTP/1.1', 'Host:'], { protocol: 'http1', method: 'GET' }],
    [['get /\xe9 HTTP/1.1', 'Host: a.example'], host('a.example', 'get')],
  ])('%j', (lines, seen) => {
    expect(see(...lines)).toEqual(seen);
  });

  it('may end its lines with a line feed alone', () => {
    const head = new Uint8Array(Buffer.from('GET / HTTP/1.1\nHost: a.example\n\n'));

    expect(peekFirst('client', head, false)).toEqual(host('a.example'));
    expect(peekFirst('client', head.subarray(0, -1), false)).toBe('more');
  });
});

describe('what a server has to refuse is unknown', () => {
  it.each([
    [['GET / HTTP/1.1', 'Host: a.example', 'Host: a.example']],
    [['GET / HTTP/1.1', 'Host: a.example', 'host: b.example']],
    [['GET http://a.example/ HTTP/1.1', 'Host: a.example', 'Host: b.example']],
    [['GET / HTTP/1.1', 'Host: a.example, b.example c']],
    [['GET / HTTP/1.1', 'Host: a.example/x']],
    [['GET / HTTP/1.1', 'Host: u@a.example']],
    [['GET / HTTP/1.1', 'Host: a.exa', ' mple']],
    [['GET / HTTP/1.1', 'Host: 2001:db8::1']],
    [['GET / HTTP/1.1', 'Host: [::1']],
    [['GET / HTTP/1.1', 'Host: [192.0.2.1]']],
    [['GET / HTTP/1.1', 'Host: b\xfccher.example']],
    [['GET / HTTP/1.1', `Host: ${'a'.repeat(300)}`]],
    [['GET / HTTP/1.1', 'Host : a.example']],
    [['GET / HTTP/1.1', ' Host: a.example']],
    [['GET / HTTP/1.1', 'Host a.example']],
    [['GET / HTTP/1.1', ': a.example']],
    [['GET / HTTP/1.1', 'x: a\rHost: b.example']],
    [['GET / HTTP/1.1', 'x: \0']],
    [['GET /', 'Host: a.example']],
    [['GET /  HTTP/1.1', 'Host: a.example']],
    [['GET  / HTTP/1.1', 'Host: a.example']],
    [['GET a.example HTTP/1.1']],
    [['GET * HTTP/1.1']],
    [['GET / HTTP/2.0']],
    [['GET / http/1.1']],
    [['GET / HTTP/1.10']],
    [['CONNECT /x HTTP/1.1']],
    [['CONNECT a.example HTTP/1.1']],
    [['CONNECT :443 HTTP/1.1']],
    [['GET http:/// HTTP/1.1']],
    [[' GET / HTTP/1.1']],
    [[`${'A'.repeat(33)} / HTTP/1.1`]],
  ])('%j', (lines) => {
    expect(see(...lines)).toEqual(unknown);
  });
});
