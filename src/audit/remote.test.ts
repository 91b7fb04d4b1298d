/** What a client makes of servers that are none, and of boxes that change or swallow what they say. On the loopback. */
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { protocolVersion } from './protocol.js';
import { RemoteEnd } from './remote.js';

const welcome = {
  audit: protocolVersion,
  desplice: '1.2.3',
  ports: { first: 7410, last: 7609 },
  unprivileged: '',
};
let server: Server | undefined;

afterEach(() => {
  server?.close();
});

/** Serves whatever `greet` says, and connects to it. */
async function connectTo(greet: (socket: Socket) => void, version = '1.2.3'): Promise<RemoteEnd> {
  server = createServer((socket) => {
    socket.on('error', () => {});
    greet(socket);
  });
  const listening = server;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const { port } = listening.address() as { port: number };
  return RemoteEnd.connect('127.0.0.1', port, version, { greetingMs: 150, answerMs: 150 });
}

const line = (value: object) => `${JSON.stringify(value)}\n`;

describe('RemoteEnd', () => {
  it('asks, and is answered', async () => {
    const end = await connectTo((socket) => {
      socket.write(line(welcome));
      socket.setEncoding('utf8').on('data', (text: string) => {
        for (const each of text.trim().split('\n')) {
          const { id } = JSON.parse(each);
          if (id) socket.write(line({ id, value: 42 }));
        }
      });
    });
    expect(await end.call('info', 1)).toBe(42);
    expect(end.ports).toEqual({ first: 7410, last: 7609 });
    end.close();
    expect(end.broken).toBeNull();
  });

  it.each([
    ['another version', (socket: Socket) => socket.write(line({ ...welcome, desplice: '9.9.9' })), 'VERSION'],
    ['another protocol', (socket: Socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'), 'MANGLED'],
    [
      'a greeting without ports',
      (socket: Socket) => socket.write(line({ ...welcome, ports: null })),
      'MANGLED',
    ],
    ['a server that is busy', (socket: Socket) => socket.write(line({ ...welcome, busy: true })), 'BUSY'],
    ['one that closes', (socket: Socket) => socket.end(), 'CONNECT'],
    ['silence', () => {}, 'SILENT'],
  ])('refuses %s', async (_, greet, code) => {
    await expect(connectTo(greet)).rejects.toMatchObject({ code, hint: expect.stringMatching(/\w/) });
  });

  it.each([
    ['mangled', (socket: Socket) => socket.write('{"id":1,"val\n'), 'MANGLED'],
    ['cut off', (socket: Socket) => socket.destroy(), 'BROKEN'],
    ['swallowed', () => {}, 'SILENT'],
  ])('reports an answer that is %s, and asks no more', async (_, answer, code) => {
    const end = await connectTo((socket) => {
      socket.write(line(welcome));
      socket.on('data', (bytes) => {
        if (bytes.includes('"call"')) answer(socket);
      });
    });
    await expect(end.forget(7410)).rejects.toMatchObject({ code });
    expect(end.broken).toMatchObject({ code });
    await expect(end.packets(7410)).rejects.toMatchObject({ code });
  });
});
