/** Descriptors of other processes: pidfd_getfd(2), Linux 5.6. */
import { check, libc } from './ffi.js';
import { close } from './socket.js';

// The numbers are the same on every architecture.
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
const SIGKILL = 9;
const POLLIN = 1;

const syscall = libc.func('int64_t syscall(int64_t, int64_t, int64_t, int64_t, int64_t)');
const pollCall = libc.func('int poll(void *, ulong, int)');

/** A process whose descriptors can be copied. Needs the right to trace it: root has it. */
export class OtherProcess {
  readonly #pidfd: number;

  constructor(readonly pid: number) {
    this.#pidfd = check(Number(syscall(SYS_PIDFD_OPEN, pid, 0, 0, 0)), 'pidfd_open', `process ${pid}`);
  }

  /** A copy of its descriptor, closed on exec, or -1 when there is none of that number. */
  copy(fd: number): number {
    return fd < 0 ? -1 : Number(syscall(SYS_PIDFD_GETFD, this.#pidfd, fd, 0, 0));
  }

  /** The same for one that has to be there; -1 stays -1. */
  copyKnown(fd: number, what: string): number {
    return fd < 0
      ? -1
      : check(this.copy(fd), 'pidfd_getfd', `${what}, descriptor ${fd} of process ${this.pid}`);
  }

  /** Kills it and returns when its descriptors are closed, or after `milliseconds`. */
  end(milliseconds: number): void {
    if (Number(syscall(SYS_PIDFD_SEND_SIGNAL, this.#pidfd, SIGKILL, 0, 0)) < 0) return;
    this.wait(milliseconds);
  }

  /** Returns when it has ended and its descriptors are closed, or false after `milliseconds`. */
  wait(milliseconds: number): boolean {
    const wait = new DataView(new ArrayBuffer(8)); // struct pollfd
    wait.setInt32(0, this.#pidfd, true);
    wait.setInt16(4, POLLIN, true);
    return pollCall(new Uint8Array(wait.buffer), 1, milliseconds) > 0;
  }

  close(): void {
    close(this.#pidfd);
  }
}
