/** Rules on names: what the first bytes tell, in one segment or in forty, decides what happens to the connection. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { root, useRig, waitFor } from './harness.js';
import { connectionsOf } from './state.js';

const rig = useRig('peek', { run: null });
const port = 8443;
const fixture = (name: string): Buffer => readFileSync(join(root, 'src/peek/fixtures', name));
const hello = fixture('chromium.bin');

beforeAll(async () => {
  const module = join(rig.folder, 'upper.mjs');
  // Not transparent at all, so that whoever sees its work knows that it had the flow from the first byte on.
  writeFileSync(
    module,
    `export default ({ client, server, seen }) => {
      client.once('data', (first) => { client.end('handled ' + seen.protocol + ' ' + first.length); server.destroy(); });
    };`,
  );
  writeFileSync(
    join(rig.folder, 'desplice.yaml'),
    `interfaces: [toclient, toserver]
rules:
  - ports: [${port}, 8000-8100]
    action: peek
    when:
      - { sni: ["*.forward.example", www.example.com], then: forward }
      - { sni: "*.relay.example", then: relay }
      - { sni: "*.after.example", then: relay, release: { after: 3000 } }
      - { sni: "*.idle.example", then: relay, release: { idle: 300ms } }
      - { http.host: "*.forbidden.example", then: reset }
      - { http.method: [PUT], then: handle=${module} }
      - { protocol: smtp, then: release }
    otherwise: release
`,
  );
  rig.engine = await rig.startEngine(['-c', join(rig.folder, 'desplice.yaml')], []);
  await rig.serve({ port, mode: 'echo' });
});

interface Said {
  got: string;
  ended: string;
}

/** Says it, and waits for as many bytes back. */
async function say(options: object, server = rig.lab.addresses.server4): Promise<Said> {
  return rig.client<Said>({ host: server, port, ...options }, 'say.mjs');
}
const hex = (bytes: Uint8Array | string): string => Buffer.from(bytes as Uint8Array).toString('hex');
const cut = (bytes: Uint8Array, size: number): string[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    hex(bytes.subarray(i * size, (i + 1) * size)),
  );
/** The recorded hello with another name of the same length. */
function helloFor(name: string): Buffer {
  const copy = Buffer.from(hello);
  expect(name).toHaveLength('www.example.com'.length);
  copy.write(name, copy.indexOf('www.example.com'), 'latin1');
  return copy;
}

const last = () => rig.engine.events.filter(({ event }) => event === 'peeked').at(-1);

/** What became of the connections. */
async function gained(action: () => Promise<void>): Promise<Record<string, number>> {
  const { flows, forwarded } = await rig.counted(action);
  const all = { ...flows, decided: forwarded.decided };
  return Object.fromEntries(Object.entries(all).filter(([, n]) => n !== 0));
}

describe.each(['server4', 'server6'] as const)('%s', (server) => {
  const host = () => rig.lab.addresses[server];

  it('a first flight that tells is forwarded, and no socket is made', async () => {
    const n = await gained(async () => {
      const said = await say({ pieces: [hex(hello)], expect: hello.length }, host());
      expect(said.got).toBe(hex(hello));
    });
    expect(n).toEqual({ decided: 1 });
    expect(last()).toMatchObject({ seen: { protocol: 'tls', sni: 'www.example.com' }, then: 'forward' });
  });

  it('forty segments: sockets are made to read on, and given back', async () => {
    const pieces = cut(hello, Math.ceil(hello.length / 40));
    const n = await gained(async () => {
      const said = await say({ pieces, gapMs: 10, expect: hello.length }, host());
      expect(said.got).toBe(hex(hello));
    });
    expect(n).toEqual({ intercepted: 1, released: 1 });
    expect(last()).toMatchObject({ seen: { protocol: 'tls', sni: 'www.example.com' } });
    expect(connectionsOf(rig.lab)).toBe('');
  });

  it('a server that speaks first is recognised by its greeting', async () => {
    const greeting = '220 mail.example ESMTP\r\n';
    const mail = rig.port();
    await rig.serve({ port: mail, mode: 'greet', greeting });
    const n = await gained(async () => {
      expect((await say({ port: mail, pieces: [], expect: greeting.length }, host())).got).toBe(
        hex(Buffer.from(greeting)),
      );
    });
    expect(n).toEqual({ decided: 1 });
    expect(last()).toMatchObject({ seen: { protocol: 'smtp' }, then: 'release' });
  });

  it('a host that is forbidden is reset', async () => {
    const request = Buffer.from('GET / HTTP/1.1\r\nHost: www.forbidden.example\r\n\r\n');
    const n = await gained(async () => {
      expect((await say({ pieces: [hex(request)] }, host())).ended).toBe('ECONNRESET');
    });
    expect(n).toEqual({ intercepted: 1, reset: 1 });
  });

  it.each([
    ['in one piece', 1000, 0],
    ['in many', 7, 5],
  ])('a handler gets the flow from its first byte on, %s', async (_, size, gapMs) => {
    const request = Buffer.from('PUT /x HTTP/1.1\r\nHost: put.example\r\nContent-Length: 0\r\n\r\n');
    await gained(async () => {
      const said = await say({ pieces: cut(request, size), gapMs }, host());
      expect(Buffer.from(said.got, 'hex').toString()).toBe(`handled http1 ${request.length}`);
    });
  });

  it.each(['a.after.example', 'an.idle.example'])(
    '%s is relayed, then released by its rule',
    async (name) => {
      const first = helloFor(name);
      const more = Buffer.alloc(4000, 'm');
      const n = await gained(async () => {
        // Nobody closes before it has been released.
        const said = await say({ pieces: [hex(first), hex(more)], gapMs: 50, listenMs: 1500 }, host());
        expect(said).toEqual({ got: hex(first) + hex(more), ended: 'open' });
      });
      expect(n).toEqual({ intercepted: 1, released: 1 });
    },
  );

  it('bytes that stop in the middle tell nothing after 3 s, and go on', async () => {
    const half = Buffer.from('GET / HTTP/1.1\r\nHost: ne');
    const n = await gained(async () => {
      const said = await say({ pieces: [hex(half)], expect: half.length }, host());
      expect(said.got).toBe(hex(half));
    });
    expect(n).toEqual({ intercepted: 1, released: 1 });
    expect(last()?.seen).not.toHaveProperty('host');
  });

  it('curl, openssl and the server know nothing of it', async () => {
    const key = join(rig.folder, 'key.pem');
    const subject = ['-nodes', '-subj', '/CN=www.example.com', '-days', '2', '-keyout', key, '-out', key];
    await rig.lab.run('server', ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', ...subject]);
    const tls = rig.port();
    const listen = [
      server === 'server4' ? '-4' : '-6',
      '-accept',
      String(tls),
      '-key',
      key,
      '-cert',
      key,
      '-www',
      '-quiet',
    ];
    const openssl = rig.lab.spawn('server', ['openssl', 's_server', ...listen], { stdio: 'ignore' });
    try {
      await waitFor(
        'it listens',
        () => rig.lab.exec('server', ['ss', '-Htln', `sport = ${tls}`]).stdout !== '',
      );
      const address = host().includes(':') ? `[${host()}]` : host();
      const resolve = ['--resolve', `www.example.com:${tls}:${address}`];
      const n = await gained(async () => {
        const { stdout } = await rig.lab.run('client', [
          'curl',
          '-sSk',
          '--max-time',
          '10',
          ...resolve,
          `https://www.example.com:${tls}/`,
        ]);
        expect(stdout).toContain('Ciphers supported in s_server binary');
      });
      expect(n).toEqual({ decided: 1 });
      expect(last()).toMatchObject({
        seen: { protocol: 'tls', sni: 'www.example.com', alpn: ['h2', 'http/1.1'] },
        then: 'forward',
      });
      const other = await gained(async () => {
        const argv = [
          'openssl',
          's_client',
          '-connect',
          `${address}:${tls}`,
          '-servername',
          'a.relay.example',
          '-brief',
        ];
        await rig.lab.run('client', argv);
      });
      expect(other).toMatchObject({ intercepted: 1 });
      expect(last()).toMatchObject({ seen: { protocol: 'tls', sni: 'a.relay.example' }, then: 'relay' });
    } finally {
      openssl.kill();
    }
  });
});

it('a stop gives back what is still looked at', async () => {
  const half = Buffer.from('GET / HTTP/1.1\r\nHost: ne');
  const said = say({ pieces: [hex(half), hex(half)], gapMs: 6000, expect: 2 * half.length });
  await waitFor('its sockets are made', async () => (await rig.engine.flows())[0]?.state === 'peek');
  expect(await rig.engine.stop()).toBe(0);
  expect(rig.engine.events.at(-1)).toMatchObject({ event: 'drained', released: 1, ended: 0, reset: 0 });
  expect(await said).toEqual({ got: hex(half) + hex(half), ended: 'open' });
});
