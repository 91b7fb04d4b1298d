import type { Lab } from '../../src/lab/index.js';

/** Everything that an engine could set up in the middle, as text: equal before and after, or something was left. */
const script = `
ip -4 rule; ip -6 rule
ip -4 route show table all; ip -6 route show table all | grep -v fe80:
tc qdisc show | sed 's/refcnt.*//'
for device in $(ls /sys/class/net); do
  for side in ingress egress; do
    tc filter show dev "$device" $side 2>/dev/null | sed "s/^/$device $side: /"
  done
done
nft list ruleset
cd /proc/sys/net
grep -rs . ipv4/ip_forward ipv4/tcp_early_demux ipv4/tcp_mtu_probing ipv4/conf/*/rp_filter ipv4/conf/*/accept_local \\
  ipv4/conf/*/src_valid_mark ipv4/conf/*/route_localnet ipv6/conf/*/forwarding ipv4/ip_nonlocal_bind
ls /sys/class/net
`;

export function systemState(lab: Lab): string {
  return lab.exec('middle', ['sh', '-c', script]).stdout;
}

/** The TCP sockets of the middle. A router has none; one in TIME_WAIT swallows the SYN of a port that is used again. */
export function socketsOf(lab: Lab): string {
  return lab.exec('middle', ['ss', '-Htan', 'state', 'all']).stdout;
}

/** Those of them that belong to a connection: while it runs, an engine has listeners, too. */
export function connectionsOf(lab: Lab): string {
  return lab.exec('middle', ['ss', '-Htan', 'state', 'connected', 'state', 'time-wait']).stdout;
}
