import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Background, CommandFailed, run } from './process.js';
import type { Site } from './site.js';

const megabyte = 1_000_000;

/** The same server for every subject: one worker, no log, the files in memory. */
export async function startServer(site: Site, directory: string): Promise<Background> {
  const root = join(directory, 'www');
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, 'small'), Buffer.alloc(100, 'x'));
  writeFileSync(join(root, 'large'), Buffer.alloc(10 * megabyte, 'x'));
  // More than any download takes in its time. A hole: it needs no room.
  writeFileSync(join(root, 'huge'), '');
  truncateSync(join(root, 'huge'), 4000 * megabyte);
  const configuration = join(directory, 'nginx.conf');
  writeFileSync(
    configuration,
    `daemon off;
user root;
worker_processes 1;
pid ${join(directory, 'nginx.pid')};
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  open_file_cache max=16 inactive=1h;
  keepalive_timeout 600s;
  keepalive_requests 100000000;
  client_body_temp_path ${join(directory, 'body')};
  proxy_temp_path ${join(directory, 'proxy')};
  fastcgi_temp_path ${join(directory, 'fastcgi')};
  uwsgi_temp_path ${join(directory, 'uwsgi')};
  scgi_temp_path ${join(directory, 'scgi')};
  server {
    listen 80 backlog=4096;
    root ${root};
    location = /whoami { return 200 "$remote_addr:$remote_port $server_addr:$server_port"; }
  }
}
`,
  );
  const argv = ['nginx', '-e', 'stderr', '-c', configuration];
  const server = new Background(site.inside('server', argv), 'nginx');
  for (let tries = 0; ; tries += 1) {
    server.assertAlive();
    const answered = await whoami(site).catch((error: Error) => error);
    if (typeof answered === 'string') return server;
    if (tries > 50) throw answered;
    await sleep(100);
  }
}

/** What the server takes its client for, against what the client is: a subject that shows its own address has no place here. */
export async function whoami(site: Site): Promise<string> {
  const url = `http://${site.serverAddress}/whoami`;
  const argv = [
    'curl',
    '-sS',
    '-m',
    '5',
    '-w',
    '\n%{local_ip}:%{local_port} %{remote_ip}:%{remote_port}',
    url,
  ];
  const [seen, real] = (await run(site.inside('client', argv))).split('\n');
  if (seen !== real) throw new CommandFailed(`the server was shown "${seen}" where the client has "${real}"`);
  return seen ?? '';
}
