/** libbpf by FFI: loading an object, attaching to tc, and the map calls. Maps are used by descriptor. */
import koffi from 'koffi';
import { KernelError } from './errors.js';
import { E, errno } from './ffi.js';

const libbpf = (() => {
  try {
    return koffi.load('libbpf.so.1');
  } catch (cause) {
    throw new Error('libbpf.so.1 is missing: install the package libbpf1', { cause });
  }
})();

const setPrint = libbpf.func('void *libbpf_set_print(void *)');
const openCall = libbpf.func('void *bpf_object__open_file(str, void *)');
const loadCall = libbpf.func('int bpf_object__load(void *)');
const closeCall = libbpf.func('void bpf_object__close(void *)');
const findProgram = libbpf.func('void *bpf_object__find_program_by_name(void *, str)');
const programFd = libbpf.func('int bpf_program__fd(void *)');
const findMap = libbpf.func('void *bpf_object__find_map_by_name(void *, str)');
const mapFd = libbpf.func('int bpf_map__fd(void *)');
const reuseCall = libbpf.func('int bpf_map__reuse_fd(void *, int)');
const setMaxEntries = libbpf.func('int bpf_map__set_max_entries(void *, uint)');
const hookCreate = libbpf.func('int bpf_tc_hook_create(void *)');
const hookDestroy = libbpf.func('int bpf_tc_hook_destroy(void *)');
const attachCall = libbpf.func('int bpf_tc_attach(void *, void *)');
const detachCall = libbpf.func('int bpf_tc_detach(void *, void *)');
const updateCall = libbpf.func('int bpf_map_update_elem(int, void *, void *, uint64_t)');
const lookupCall = libbpf.func('int bpf_map_lookup_elem(int, void *, void *)');
const deleteCall = libbpf.func('int bpf_map_delete_elem(int, void *)');
const lookupBatchCall = libbpf.func(
  'int bpf_map_lookup_batch(int, void *, void *, void *, void *, void *, void *)',
);
const deleteBatchCall = libbpf.func('int bpf_map_delete_batch(int, void *, void *, void *)');
const cpusCall = libbpf.func('int libbpf_num_possible_cpus()');

// Errors come as return values; what libbpf would print besides belongs to nobody's output.
setPrint(null);

/** Handle and priority of our tc filters: ours by number, so that a second attach replaces the first. */
const FILTER_HANDLE = 0xde5;
const FILTER_PRIORITY = 0xde5;
export const Hook = { ingress: 1, egress: 2 } as const;
const BPF_TC_F_REPLACE = 1;

export class BpfObject {
  readonly #object: unknown;

  /** `reuse`: maps that are there already, by descriptor; they are used in place of new ones. */
  constructor(path: string, maxEntries: Record<string, number> = {}, reuse: Record<string, number> = {}) {
    this.#object = openCall(path, null);
    if (!this.#object) throw new KernelError('bpf_object__open', errno(), path);
    for (const [name, entries] of Object.entries(maxEntries)) {
      setMaxEntries(findMap(this.#object, name), entries);
    }
    for (const [name, fd] of Object.entries(reuse)) {
      const result = reuseCall(findMap(this.#object, name), fd);
      if (result < 0) throw new KernelError('bpf_map__reuse_fd', -result, name);
    }
    const result = loadCall(this.#object);
    if (result < 0) {
      closeCall(this.#object);
      throw new KernelError('bpf_object__load', -result, path);
    }
  }

  program(name: string): number {
    return programFd(findProgram(this.#object, name));
  }
  map(name: string): number {
    return mapFd(findMap(this.#object, name));
  }
  close(): void {
    closeCall(this.#object);
  }
}

const hook = Buffer.alloc(24);
const options = Buffer.alloc(32);

function fillHook(ifindex: number, points: number): void {
  hook.fill(0);
  hook.writeUInt32LE(24, 0);
  hook.writeInt32LE(ifindex, 8);
  hook.writeInt32LE(points, 12);
}

function fillOptions(program: number, flags: number): void {
  options.fill(0);
  options.writeUInt32LE(32, 0);
  options.writeInt32LE(program, 8);
  options.writeUInt32LE(flags, 12);
  options.writeUInt32LE(FILTER_HANDLE, 20);
  options.writeUInt32LE(FILTER_PRIORITY, 24);
}

/** Attaches a program, in place of our earlier one if there is one. */
export function attach(ifindex: number, point: number, program: number, what: string): void {
  fillHook(ifindex, point);
  const made = hookCreate(hook);
  if (made < 0 && made !== -E.EEXIST) throw new KernelError('bpf_tc_hook_create', -made, what);
  fillOptions(program, BPF_TC_F_REPLACE);
  const result = attachCall(hook, options);
  if (result < 0) throw new KernelError('bpf_tc_attach', -result, what);
}

/** Returns true when there was a program of ours to detach. */
export function detach(ifindex: number, point: number): boolean {
  fillHook(ifindex, point);
  fillOptions(0, 0);
  return detachCall(hook, options) === 0;
}

/** Removes the clsact qdisc and every filter on it. */
export function removeClsact(ifindex: number): void {
  fillHook(ifindex, Hook.ingress | Hook.egress);
  hookDestroy(hook);
}

const possibleCpus: number = cpusCall();

/** Returns 0, or -errno. Never throws: these are called once or twice a flow. */
export const mapUpdate = (map: number, key: Uint8Array, value: Uint8Array): number =>
  updateCall(map, key, value, 0);
export const mapLookup = (map: number, key: Uint8Array, value: Uint8Array): number =>
  lookupCall(map, key, value);
export const mapDelete = (map: number, key: Uint8Array): number => deleteCall(map, key);

/** Deletes many entries of a hash map in one system call (Linux 5.6). */
export class MapDeletion {
  readonly #keys: Uint8Array;
  readonly #count = new Uint32Array(1);
  #n = 0;

  constructor(
    readonly map: number,
    readonly keyBytes: number,
    readonly most: number,
  ) {
    this.#keys = new Uint8Array(keyBytes * most);
  }

  add(key: Uint8Array): void {
    if (this.#n === this.most) this.flush();
    this.#keys.set(key, this.#n++ * this.keyBytes);
  }

  flush(): void {
    let from = 0;
    // What is not there stops the kernel (ENOENT), which says how many it has deleted before that.
    for (; this.#n - from > 1; from += (this.#count[0] as number) + 1) {
      this.#count[0] = this.#n - from;
      const result = deleteBatchCall(this.map, this.#from(from), this.#count, null);
      if (result !== -E.ENOENT) {
        if (result === 0) from = this.#n;
        break;
      }
    }
    for (; from < this.#n; from++) deleteCall(this.map, this.#from(from));
    this.#n = 0;
  }

  #from(index: number): Uint8Array {
    return index === 0 ? this.#keys : this.#keys.subarray(index * this.keyBytes);
  }
}

/** A walk over a hash map, many entries a system call (Linux 5.6). What changes meanwhile may be missed or met twice. */
export class MapWalk {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  /** Entries that the last `next` has read. */
  count = 0;
  readonly #count = new Uint32Array(1);
  readonly #position = new Uint8Array(8);
  #begun = false;

  constructor(
    readonly map: number,
    keyBytes: number,
    valueBytes: number,
    readonly most: number,
  ) {
    this.keys = new Uint8Array(keyBytes * most);
    this.values = new Uint8Array(valueBytes * most);
  }

  /** Reads up to `most` entries. False: these were the last ones, and the next call begins anew. */
  next(): boolean {
    this.#count[0] = this.most;
    const at = this.#position;
    const result = lookupBatchCall(
      this.map,
      this.#begun ? at : null,
      at,
      this.keys,
      this.values,
      this.#count,
      null,
    );
    // ENOENT: the end was reached, and `count` entries are there. Any other error: none.
    this.count = result === 0 || result === -E.ENOENT ? (this.#count[0] as number) : 0;
    this.#begun = result === 0;
    return this.#begun;
  }
}

const runOptions = koffi.struct('bpf_test_run_opts', {
  sz: 'size_t',
  data_in: 'void *',
  data_out: 'void *',
  data_size_in: 'uint32_t',
  data_size_out: 'uint32_t',
  ctx_in: 'void *',
  ctx_out: 'void *',
  ctx_size_in: 'uint32_t',
  ctx_size_out: 'uint32_t',
  retval: 'uint32_t',
  repeat: 'int',
  duration: 'uint32_t',
  flags: 'uint32_t',
  cpu: 'uint32_t',
  batch_size: 'uint32_t',
});
const runCall = libbpf.func('bpf_prog_test_run_opts', 'int', ['int', koffi.inout(koffi.pointer(runOptions))]);

/** Runs a tc program once, here and now, over `data` (at least an Ethernet header's length); `left` takes the data as it left
 *  them. Returns its verdict, or -errno, and how many bytes were left. */
export function runProgram(
  program: number,
  data: Uint8Array,
  left: Uint8Array,
): { verdict: number; length: number } {
  const options = {
    sz: koffi.sizeof(runOptions),
    data_in: data,
    data_out: left,
    data_size_in: data.length,
    data_size_out: left.length,
    ctx_in: null,
    ctx_out: null,
    ctx_size_in: 0,
    ctx_size_out: 0,
    retval: 0,
    repeat: 1,
    duration: 0,
    flags: 0,
    cpu: 0,
    batch_size: 0,
  };
  const result = runCall(program, options);
  return { verdict: result < 0 ? result : options.retval, length: options.data_size_out };
}

/** The sum over all CPUs of one element of a per-CPU array of 64-bit counters. */
export function sumPerCpu(map: number, index: number): number {
  const key = new Uint8Array(new Uint32Array([index]).buffer);
  const values = new BigUint64Array(possibleCpus);
  if (mapLookup(map, key, new Uint8Array(values.buffer)) < 0) return 0;
  return Number(values.reduce((a, b) => a + b, 0n));
}
