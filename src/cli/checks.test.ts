import { describe, expect, it } from 'vitest';
import { type Facts, systemChecks } from './checks.js';

const good: Record<string, string> = {
  'net/ipv4/ip_forward': '1',
  'net/ipv6/conf/all/forwarding': '1',
  'net/ipv4/conf/all/rp_filter': '2',
  'net/ipv4/conf/all/src_valid_mark': '0',
};

function facts(changes: Partial<Facts> = {}, sysctls: Record<string, string | null> = {}): Facts {
  const values: Record<string, string | null> = { ...good, ...sysctls };
  return {
    platform: 'linux',
    release: '6.1.0-18-amd64',
    capabilities: '000001ffffffffff',
    ip: 'iproute2-6.1.0',
    sysctl: (path) => values[path] ?? null,
    kernelFunction: () => true,
    ...changes,
  };
}

function faults(given: Facts): string[] {
  return systemChecks(given)
    .filter(({ state }) => state !== 'ok')
    .map(({ name, state }) => `${name}: ${state}`);
}

describe('system checks of doctor', () => {
  it('are content with a router', () => expect(faults(facts())).toEqual([]));

  it.each([
    ['an old kernel', facts({ release: '5.10.0-28-amd64' }), ['kernel: missing']],
    ['the oldest kernel', facts({ release: '5.15.0' }), []],
    ['another system', facts({ platform: 'darwin' }), ['kernel: missing']],
    ['no capabilities', facts({ capabilities: '0000000000000000' }), ['privileges: missing']],
    // CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN.
    ['CAP_SYS_ADMIN instead of CAP_BPF', facts({ capabilities: '0000000000203000' }), []],
    ['no ip command', facts({ ip: null }), ['ip tool: missing']],
    ['no forwarding', facts({}, { 'net/ipv4/ip_forward': '0' }), ['ipv4 forwarding: warning']],
    ['no IPv6', facts({}, { 'net/ipv6/conf/all/forwarding': null }), ['ipv6 forwarding: warning']],
    ['strict rp_filter', facts({}, { 'net/ipv4/conf/all/rp_filter': '1' }), ['rp_filter: missing']],
    ['src_valid_mark', facts({}, { 'net/ipv4/conf/all/src_valid_mark': '1' }), ['src_valid_mark: missing']],
    ['no request sockets', facts({ kernelFunction: () => false }), ['request sockets: warning']],
    ['no SYN cookies', facts({}, { 'net/ipv4/tcp_syncookies': '0' }), ['request sockets: warning']],
  ])('with %s', (_name, given, expected) => {
    expect(faults(given)).toEqual(expected);
    for (const check of systemChecks(given)) expect(check.mend === undefined).toBe(check.state === 'ok');
  });
});
