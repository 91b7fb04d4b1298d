/** What `run` needs of this machine, each tried for real. */
import { fileURLToPath } from 'node:url';
import { BpfObject } from './bpf.js';
import { enterRepair } from './repair.js';
import { close, setTransparent, tcpSocket } from './socket.js';
import { openTun } from './tun.js';

interface Probe {
  name: string;
  why: string;
  mend: string;
  /** Throws when it is missing. */
  run(): void;
}

const withSocket = (use: (fd: number) => void): void => {
  const fd = tcpSocket(4);
  try {
    use(fd);
  } finally {
    close(fd);
  }
};

export const probes: Probe[] = [
  {
    name: 'BPF',
    why: 'the tracker that follows handshakes runs in the kernel',
    mend: 'run as root (CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON) on a kernel of 5.15 or later; make build compiles the program',
    run: () => new BpfObject(fileURLToPath(new URL('../bpf/tracker.bpf.o', import.meta.url))).close(),
  },
  {
    name: 'TUN',
    why: 'held packets wait in a TUN device',
    mend: 'modprobe tun; in a container pass /dev/net/tun and CAP_NET_ADMIN',
    run: () => close(openTun('desplice%d').fd),
  },
  {
    name: 'TCP_REPAIR',
    why: 'our sockets carry on sequence numbers that the ends chose',
    mend: 'run as root (CAP_NET_ADMIN) on a kernel built with CONFIG_CHECKPOINT_RESTORE=y',
    run: () => withSocket(enterRepair),
  },
  {
    name: 'IP_TRANSPARENT',
    why: 'our sockets have the addresses of the ends',
    mend: 'run as root (CAP_NET_ADMIN or CAP_NET_RAW)',
    run: () => withSocket((fd) => setTransparent(fd, 4)),
  },
];
