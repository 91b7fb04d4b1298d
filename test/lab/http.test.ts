/** A web server and a client that nobody wrote for this: what the server logs is the client's own address and port. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { counts, useRig, waitFor } from './harness.js';

const rig = useRig('http');

beforeAll(async () => {
  const folder = join(rig.folder, 'nginx');
  mkdirSync(join(folder, 'html'), { recursive: true });
  writeFileSync(join(folder, 'html/index.html'), 'hello\n');
  writeFileSync(join(folder, 'html/large'), Buffer.alloc(20_000_000, 'large'));
  const config = `
daemon off; master_process off; pid ${folder}/pid; error_log stderr;
events { worker_connections 1024; }
http {
  log_format ends '$remote_addr:$remote_port $request_uri $status';
  access_log ${folder}/access.log ends;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server { listen 80; listen [::]:80; root ${folder}/html; }
}
`;
  writeFileSync(join(folder, 'nginx.conf'), config);
  const argv = ['nginx', '-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')];
  rig.lab.spawn('server', argv, { stdio: 'ignore' });
  await waitFor('nginx listens', () => rig.lab.exec('server', ['ss', '-Htln', 'sport = 80']).stdout !== '');
});

function log(): string[] {
  return readFileSync(join(rig.folder, 'nginx/access.log'), 'utf8').trim().split('\n');
}

describe.each([
  ['server4', 'client4'],
  ['server6', 'client6'],
] as const)('%s', (server, client) => {
  const url = () => {
    const address = rig.lab.addresses[server];
    return address.includes(':') ? `http://[${address}]` : `http://${address}`;
  };
  const curl = (...args: string[]) => rig.lab.run('client', ['curl', '-sS', '--max-time', '20', ...args]);

  it('sees the client as it is', async () => {
    const gained = await rig.counted(async () => {
      const format = '%{local_ip} %{local_port} %{remote_ip} %{remote_port}';
      const { stdout } = await curl('-w', format, `${url()}/`);
      const [body, ends] = stdout.split('\n') as [string, string];
      const [localAddress, localPort, remoteAddress, remotePort] = ends.split(' ');
      expect(body).toBe('hello');
      expect([localAddress, remoteAddress, remotePort]).toEqual([
        rig.lab.addresses[client],
        rig.lab.addresses[server],
        '80',
      ]);
      expect(log().at(-1)).toBe(`${localAddress}:${localPort} / 200`);
    });
    expect(counts(gained)).toEqual({ intercepted: 1 });
  });

  it('serves 20 MB, and several requests on one connection', async () => {
    const gained = await rig.counted(async () => {
      const format = '%{size_download} %{num_connects}\\n';
      const paths = ['large', '', 'large'].flatMap((path) => ['-o', '/dev/null', `${url()}/${path}`]);
      const { stdout } = await curl('-w', format, ...paths);
      expect(stdout).toBe('20000000 1\n6 0\n20000000 0\n');
    });
    expect(counts(gained)).toEqual({ intercepted: 1 });
  });

  it('shows the flow while it is taken', async () => {
    // Slow enough to be seen.
    const slow = curl('--limit-rate', '10M', '-o', '/dev/null', `${url()}/large`);
    await waitFor('a flow', async () => (await rig.engine.flows()).length === 1);
    const [flow] = await rig.engine.flows();
    const of = (end: string) => (end.includes(':') ? `[${end}]` : end);
    expect(flow).toMatchObject({
      state: 'relay',
      action: 'relay',
      server: `${of(rig.lab.addresses[server])}:80`,
    });
    expect(flow?.client.startsWith(`${of(rig.lab.addresses[client])}:`)).toBe(true);
    expect(flow?.handshake.client).toMatchObject({
      sackPermitted: true,
      timestamps: true,
      ecn: false,
      ttl: 64,
    });
    expect(flow?.handshake.client.mss).toBe(server === 'server4' ? 1460 : 1440);
    await slow;
  });
});
