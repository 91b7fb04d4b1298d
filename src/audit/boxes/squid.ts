/** Squid as an intercepting proxy, by NAT and by TPROXY. */
import { type Box, firstLine, needs } from './box.js';
import { placed } from './placing.js';

const port = 3129;
const user = 'proxy';

const configuration = (
  folder: string,
  mode: 'intercept' | 'tproxy',
): string => `# https://wiki.squid-cache.org/${
  mode === 'intercept' ? 'ConfigExamples/Intercept/LinuxRedirect' : 'Features/Tproxy4'
}
# Squid wants a port for those who know of it, too.
http_port 127.0.0.1:3128
http_port ${port} ${mode}
# Whoever is behind the router may ask for any server and any port.
http_access allow all
# What an end says to the other one passes as it was said.
via off
forwarded_for transparent
# http://www.squid-cache.org/Doc/config/http_upgrade_request_protocols/: refused by default.
http_upgrade_request_protocols OTHER allow all
cache deny all
cache_mem 8 MB
access_log none
cache_store_log none
cache_log ${folder}/cache.log
pid_filename ${folder}/squid.pid
coredump_dir ${folder}
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname box.invalid
`;

function squidAs(mode: 'intercept' | 'tproxy', what: string, documentation: string[]): Box {
  return {
    name: `squid-${mode}`,
    what,
    documentation,
    speaks: 'http',
    missing: needs({ squid: 'squid', nft: 'nftables' }),
    version: () => firstLine('squid', '-v').replace('Squid Cache: Version', 'Squid'),
    start: placed(async (placing) => {
      const folder = placing.folder(user);
      const file = placing.file(folder, 'squid.conf', configuration(folder, mode));
      // One process, and a name of its own for what it shares by memory.
      const argv = ['squid', '-N', '-n', `box${process.pid}`, '-f', file];
      await placing.program(argv, placing.listens(port));
      if (mode === 'tproxy') placing.tproxyTo(port);
      else placing.redirectTo(port);
    }),
  };
}

export const squidIntercept = squidAs('intercept', 'Squid, intercept (NAT)', [
  'https://wiki.squid-cache.org/ConfigExamples/Intercept/LinuxRedirect',
]);
export const squidTproxy = squidAs('tproxy', 'Squid, tproxy', [
  'https://wiki.squid-cache.org/Features/Tproxy4',
]);
