import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One request as the server's log has it. */
export interface Served {
  /** Address and port that the connection came from, as the server's own accept() told it. */
  client: string;
  path: string;
  bytes: number;
}

export const largeBytes = 400_000_000;
/** Slow enough to look at the flow while it runs; the path itself is far faster. */
const largeRate = '80m';

/** Writes a site and an nginx configuration into `folder`, and returns the command that serves it in the foreground. */
export function prepareNginx(folder: string): string[] {
  const site = join(folder, 'site');
  mkdirSync(site, { recursive: true });
  writeFileSync(join(site, 'hello'), 'Hello from the server.\n');
  // A hole: takes no room on the disk.
  writeFileSync(join(site, 'large'), '');
  truncateSync(join(site, 'large'), largeBytes);
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, site));
  return ['nginx', '-c', file, '-e', join(folder, 'error.log'), '-p', folder];
}

function configuration(folder: string, site: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${folder}/tmp-${name};`)
    .join('\n');
  return `user root;
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 256; }
http {
${temporary}
  log_format ends '$remote_addr $remote_port $uri $body_bytes_sent';
  access_log ${folder}/access.log ends;
  sendfile on;
  server {
    listen 80;
    listen [::]:80;
    root ${site};
    location = /large { limit_rate ${largeRate}; }
  }
}
`;
}

export function parseAccessLog(text: string): Served[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [address = '', port = '', path = '', bytes = ''] = line.split(' ');
      return { client: endpoint(address, port), path, bytes: Number(bytes) };
    });
}

export function endpoint(address: string, port: string | number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
