/** One line of `desplice doctor`. Only `missing` stops `run`. */
export interface Check {
  name: string;
  state: 'ok' | 'warning' | 'missing';
  /** What was found, or why it is a problem. */
  found: string;
  /** How to mend it; absent when it is well. */
  mend?: string;
}

/** What the system checks look at, read once. Null: not there. */
export interface Facts {
  platform: string;
  release: string;
  /** CapEff of /proc/self/status, hexadecimal. */
  capabilities: string | null;
  /** Output of `ip -V`. */
  ip: string | null;
  sysctl(path: string): string | null;
  /** Whether the running kernel offers this function to its programs. Source: /sys/kernel/btf/vmlinux. */
  kernelFunction(name: string): boolean;
}

const oldestKernel = [5, 15] as const;
// Numbers from include/uapi/linux/capability.h.
const needed = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n, CAP_BPF: 39n } as const;
const capSysAdmin = 21n;

export function systemChecks(facts: Facts): Check[] {
  return [
    kernelCheck(facts),
    capabilityCheck(facts),
    ipCheck(facts),
    forwardingCheck(facts, 'ipv4', 'net/ipv4/ip_forward'),
    forwardingCheck(facts, 'ipv6', 'net/ipv6/conf/all/forwarding'),
    reversePathCheck(facts),
    markCheck(facts),
    requestSocketCheck(facts),
  ];
}

function kernelCheck({ platform, release }: Facts): Check {
  const name = 'kernel';
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [wantMajor, wantMinor] = oldestKernel;
  if (platform === 'linux' && (major > wantMajor || (major === wantMajor && minor >= wantMinor))) {
    return { name, state: 'ok', found: `Linux ${release}` };
  }
  const found = `${platform} ${release}, and Linux ${wantMajor}.${wantMinor} or newer is needed`;
  return { name, state: 'missing', found, mend: 'boot a newer kernel' };
}

function capabilityCheck({ capabilities }: Facts): Check {
  const name = 'privileges';
  const held = BigInt(`0x${capabilities ?? '0'}`);
  const has = (bit: bigint): boolean => (held & (1n << bit)) !== 0n;
  // Before CAP_BPF existed, and still, CAP_SYS_ADMIN includes it.
  const lacking = Object.entries(needed)
    .filter(([cap, bit]) => !has(bit) && !(cap === 'CAP_BPF' && has(capSysAdmin)))
    .map(([cap]) => cap);
  if (lacking.length === 0) return { name, state: 'ok', found: Object.keys(needed).join(', ') };
  const found = `this process lacks ${lacking.join(', ')}`;
  return { name, state: 'missing', found, mend: 'run as root, or give the service these capabilities' };
}

function ipCheck({ ip }: Facts): Check {
  const name = 'ip tool';
  if (ip !== null) return { name, state: 'ok', found: ip };
  return { name, state: 'missing', found: 'the `ip` command is not there', mend: 'apt-get install iproute2' };
}

function forwardingCheck({ sysctl }: Facts, family: string, path: string): Check {
  const name = `${family} forwarding`;
  const value = sysctl(path);
  if (value === '1') return { name, state: 'ok', found: 'on' };
  const key = path.replaceAll('/', '.');
  const found = value === null ? `${key} is not there` : 'off: this machine passes nothing on';
  return { name, state: 'warning', found, mend: `sysctl -w ${key}=1` };
}

/** The kernel takes the larger of `all` and the interface's own value: fib_validate_source, IN_DEV_RPFILTER. */
function reversePathCheck({ sysctl }: Facts): Check {
  const name = 'rp_filter';
  if (sysctl('net/ipv4/conf/all/rp_filter') !== '1') {
    return { name, state: 'ok', found: 'not strict for all interfaces' };
  }
  return {
    name,
    state: 'missing',
    found:
      'strict for all interfaces: the kernel drops the held segments, whose sources lie behind other interfaces',
    mend: 'sysctl -w net.ipv4.conf.all.rp_filter=0 (interfaces keep their own values; 2 is loose)',
  };
}

/** With src_valid_mark the mark that delivers taken flows locally enters the reverse path look-up as well. */
function markCheck({ sysctl }: Facts): Check {
  const name = 'src_valid_mark';
  if (sysctl('net/ipv4/conf/all/src_valid_mark') !== '1') return { name, state: 'ok', found: 'off' };
  return {
    name,
    state: 'missing',
    found:
      'on: the mark of taken flows makes every source look like an address of this machine, and is dropped',
    mend: 'sysctl -w net.ipv4.conf.all.src_valid_mark=0',
  };
}

/** Without them every takeover is by TCP_REPAIR: slower, and flows that use ECN are forwarded. */
function requestSocketCheck({ kernelFunction, sysctl }: Facts): Check {
  const name = 'request sockets';
  const without = 'takeovers go by TCP_REPAIR, at half the speed, and flows with ECN are forwarded';
  if (!kernelFunction('bpf_sk_assign_tcp_reqsk')) {
    return {
      name,
      state: 'warning',
      found: `not in this kernel: ${without}`,
      mend: 'boot Linux 6.9 or newer',
    };
  }
  if (sysctl('net/ipv4/tcp_syncookies') === '0') {
    const mend = 'sysctl -w net.ipv4.tcp_syncookies=1';
    return { name, state: 'warning', found: `off with the SYN cookies: ${without}`, mend };
  }
  return { name, state: 'ok', found: 'two calls make a socket, ECN included' };
}
