/** The keepers that an engine has left in this network namespace: finding them, and ending them. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { discardQueued } from '../../kernel/listener.js';
import { OtherProcess } from '../../kernel/pidfd.js';
import { discard } from '../../kernel/repair.js';
import { close, setResetOnClose, tcpKind } from '../../kernel/socket.js';
import { KeptTable, MEMFD_NAME } from './table.js';

/** Of a process, as ps(1) shows it: at most 15 characters, with the number of the worker. */
export const KEEPER_NAME = 'desplice-keep';
/** How long a keeper may take to die: the kernel closes its descriptors meanwhile. */
const END_MS = 5000;

export interface Keeper {
  readonly process: OtherProcess;
  readonly worker: number;
  /** Of the table, in that process. */
  readonly memfd: number;
}

/** The keepers of one engine. */
export interface Predecessor {
  readonly keepers: Keeper[];
  /** Null: another version has written it, or it cannot be read. */
  readonly table: KeptTable | null;
}

/** By descriptor number: what each is. */
function descriptorsOf(pid: number): [fd: number, what: string][] {
  const found: [number, string][] = [];
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    try {
      found.push([Number(name), readlinkSync(`/proc/${pid}/fd/${name}`)]);
    } catch {
      // Closed meanwhile.
    }
  }
  return found;
}

/** The worker whose keeper this process is; -1: it is none of root's in this network namespace. */
function keeperOf(pid: string, network: string): number {
  try {
    const match = new RegExp(`^${KEEPER_NAME}(\\d+)\\n$`).exec(readFileSync(`/proc/${pid}/comm`, 'latin1'));
    if (!match || statSync(`/proc/${pid}`).uid !== 0) return -1;
    return readlinkSync(`/proc/${pid}/ns/net`) === network ? Number(match[1]) : -1;
  } catch {
    return -1;
  }
}

/** Youngest first; one that was killed before it had taken over all comes after those that are whole. */
export function findPredecessors(): Predecessor[] {
  const network = readlinkSync('/proc/self/ns/net');
  const byMemory = new Map<string, { keepers: Keeper[]; table: KeptTable | null }>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const worker = keeperOf(name, network);
    if (worker < 0) continue;
    const pid = Number(name);
    try {
      const process = new OtherProcess(pid);
      const memfd = descriptorsOf(pid).find(([, what]) => what.startsWith(`/memfd:${MEMFD_NAME}`))?.[0] ?? -1;
      const memory = memfd < 0 ? `none of ${pid}` : String(statSync(`/proc/${pid}/fd/${memfd}`).ino);
      const known = byMemory.get(memory);
      if (known) known.keepers.push({ process, worker, memfd });
      else byMemory.set(memory, { keepers: [{ process, worker, memfd }], table: openTable(process, memfd) });
    } catch {
      // It has just ended.
    }
  }
  const rank = ({ table }: Predecessor) => (table ? table.epoch + (table.committed ? 1e15 : 0) : 0);
  return [...byMemory.values()].sort((a, b) => rank(b) - rank(a));
}

function openTable(process: OtherProcess, memfd: number): KeptTable | null {
  const fd = process.copy(memfd);
  if (fd < 0) return null;
  try {
    return KeptTable.open(fd);
  } catch {
    return null;
  } finally {
    // The mapping stays, and no keeper of ours is to inherit the descriptor.
    close(fd);
  }
}

/** Number of the socket behind a link in /proc/PID/fd; null: it is no socket. */
export const socketInode = (what: string): string | null => /^socket:\[(\d+)\]$/.exec(what)?.[1] ?? null;

/**
 * Calls `use` with a copy of each TCP connection that they hold, which `use` has to close. What was being made when the
 * engine was killed is dropped: its ends go on by forwarding.
 */
export function eachConnection({ keepers }: Predecessor, use: (fd: number, inode: string) => void): void {
  for (const keeper of keepers) {
    for (const [number, what] of descriptorsOf(keeper.process.pid)) {
      const inode = socketInode(what);
      if (inode === null) continue;
      const fd = keeper.process.copy(number);
      if (fd < 0) continue;
      const kind = tcpKind(fd);
      if (kind === 'connection') {
        use(fd, inode);
        continue;
      }
      if (kind === 'listener') discardQueued(fd);
      close(fd);
    }
  }
}

/** Ends them; with them goes what nobody has copied out of them. */
export function endKeepers({ keepers }: Predecessor): void {
  for (const { process } of keepers) {
    process.end(END_MS);
    process.close();
  }
}

/** Ends those that keep copies for an engine which did not come to take over from this one. */
export function endOtherKeepers(own: readonly number[]): void {
  for (const found of findPredecessors()) {
    if (!found.keepers.some(({ process }) => own.includes(process.pid))) endKeepers(found);
  }
}

/** Ends them and resets their flows. Returns how many connections were reset: two for each flow. */
export function resetKeepers(predecessor: Predecessor): number {
  let sockets = 0;
  eachConnection(predecessor, (fd) => {
    setResetOnClose(fd);
    close(fd);
    sockets++;
  });
  endKeepers(predecessor);
  return sockets;
}

/** What became of neither end's: it goes without a word, and the ends talk to each other. */
export function dropSilently(fd: number): void {
  try {
    discard(fd);
  } catch {
    // It was closed already, and says nothing either.
  }
}
