/** epoll(7), edge-triggered, with results in one static buffer. */
import { check, E, errno, libc } from './ffi.js';
import { close } from './socket.js';

export const EPOLLIN = 0x1;
export const EPOLLPRI = 0x2;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
const EPOLLET = 0x80000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const INPUT = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
const MAX_EVENTS = 256;
/** struct epoll_event is packed on x86-64 only. */
const STRIDE = process.arch === 'x64' ? 12 : 16;
const DATA = STRIDE - 8;

const createCall = libc.func('int epoll_create1(int)');
const ctlCall = libc.func('int epoll_ctl(int, int, int, void *)');
const waitCall = libc.func('int epoll_wait(int, void *, int, int)');

export class Epoll {
  readonly fd = check(createCall(0o2000000), 'epoll_create1');
  readonly #events = new DataView(new ArrayBuffer(STRIDE * MAX_EVENTS));
  readonly #bytes = new Uint8Array(this.#events.buffer);
  readonly #one = new DataView(new ArrayBuffer(STRIDE));
  readonly #oneBytes = new Uint8Array(this.#one.buffer);

  /** For what can be read, and for the end. `tag` and `generation` come back with each event: 32 bits each. */
  add(fd: number, tag: number, generation: number): void {
    this.#control(EPOLL_CTL_ADD, fd, INPUT, tag, generation);
  }

  /** From now on for room to write, too; if there is some already, an event says so. */
  addOutput(fd: number, tag: number, generation: number): void {
    this.#control(EPOLL_CTL_MOD, fd, INPUT | EPOLLOUT, tag, generation);
  }

  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0, 0, 0);
  }

  /** Level-triggered and for reading only: devices and eventfds. */
  addReadable(fd: number, tag: number, generation: number): void {
    this.#control(EPOLL_CTL_ADD, fd, EPOLLIN, tag, generation);
  }

  #control(operation: number, fd: number, events: number, tag: number, generation: number): void {
    this.#one.setUint32(0, events >>> 0, true);
    this.#one.setUint32(DATA, tag, true);
    this.#one.setUint32(DATA + 4, generation, true);
    check(ctlCall(this.fd, operation, fd, this.#oneBytes), 'epoll_ctl');
  }

  /** Returns how many events there are; 0 after `timeout` milliseconds, or when a signal came. */
  wait(timeout: number): number {
    const n = waitCall(this.fd, this.#bytes, MAX_EVENTS, timeout);
    if (n < 0 && errno() === E.EINTR) return 0;
    return check(n, 'epoll_wait');
  }

  close(): void {
    close(this.fd);
  }

  events(i: number): number {
    return this.#events.getUint32(i * STRIDE, true);
  }
  tag(i: number): number {
    return this.#events.getUint32(i * STRIDE + DATA, true);
  }
  generation(i: number): number {
    return this.#events.getUint32(i * STRIDE + DATA + 4, true);
  }
}
