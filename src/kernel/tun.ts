/** A TUN device: packets that the tracker redirects to it can be read, what is written enters as if received. */
import { closeSync, openSync } from 'node:fs';
import { check, libc } from './ffi.js';

const TUNSETIFF = 0x400454ca;
const IFF_TUN = 1;
const IFF_NO_PI = 0x1000;
const O_RDWR_NONBLOCK = 0o4002 | 0o2000000;

const ioctlCall = libc.func('int ioctl(int, ulong, void *)');

/** Opens a TUN device that vanishes with its last descriptor. `name` may be a template such as `desplice%d`. */
export function openTun(name: string): { fd: number; name: string } {
  const fd = openSync('/dev/net/tun', O_RDWR_NONBLOCK);
  const request = Buffer.alloc(40);
  request.write(name, 0, 15, 'latin1');
  request.writeInt16LE(IFF_TUN | IFF_NO_PI, 16);
  try {
    check(ioctlCall(fd, TUNSETIFF, request), 'ioctl', `TUNSETIFF ${name}`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { fd, name: request.toString('latin1', 0, request.indexOf(0)) };
}
