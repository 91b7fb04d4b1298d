/** Classic BPF on sockets (Documentation/networking/filter.rst). */
import koffi from 'koffi';
import { check, libc } from './ffi.js';
import { SOL_SOCKET } from './socket.js';

const SO_ATTACH_FILTER = 26;

/** One instruction: code, jump if true, jump if false, operand. */
export type Instruction = [code: number, jt: number, jf: number, k: number];

koffi.struct('sock_fprog', { len: 'uint16', filter: 'void *' });
const attachFilterCall = libc.func('int setsockopt(int, int, int, _In_ sock_fprog *, uint)');

export function attachFilter(fd: number, instructions: readonly Instruction[]): void {
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(([code, jt, jf, k], i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jt);
    view.setUint8(i * 8 + 3, jf);
    view.setUint32(i * 8 + 4, k >>> 0, true);
  });
  const filter = new Uint8Array(view.buffer);
  const program = { len: instructions.length, filter };
  check(attachFilterCall(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, 16), 'setsockopt', 'SO_ATTACH_FILTER');
}

/** Nothing gets through: the socket hears nothing, and its kernel answers nothing in its name. */
export const dropAll: readonly Instruction[] = [[0x06, 0, 0, 0]];
