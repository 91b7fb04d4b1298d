/** What the kernel program makes of the options and ECN flags of a SYN and its answer: takes, leaves out, or forwards. */
import { describe, expect, it } from 'vitest';
import { Setting } from '../../src/engine/layout.js';
import { sumPerCpu } from '../../src/kernel/bpf.js';
import { tcpChecksum } from '../../src/wire/checksum.js';
import { parseTcp, tcpFlags } from '../../src/wire/tcp.js';
import { Flag } from '../../src/wire/view.js';
import { conversation, counted, frameOf, OK, object, runFrame, setRule, useProgram } from './test-run.js';

useProgram();

/** Offsets in a segment behind an Ethernet header. */
const tcpAt = (version: 4 | 6) => 14 + (version === 4 ? 20 : 40);

/** Sends SYN and SYN-ACK with these options and flags through a rule with settings; what they look like behind the middle. */
function shakenWith(
  version: 4 | 6,
  settings: number,
  { syn, synAck }: { syn: Opening; synAck?: Opening },
): { left: { options: string; flags: number; checksum: boolean }[]; counts: Record<string, number> } {
  setRule(settings);
  const frames: Uint8Array[] = [];
  const flow = conversation(version, undefined, (packet) => {
    const { verdict, left } = runFrame(frameOf(packet));
    frames.push(left);
    return verdict;
  });
  const { counts } = counted(() => {
    flow.segment('client', Flag.SYN | (syn.flags ?? 0), 1000, 0, { options: { more: syn.options ?? [] } });
    if (!synAck) return;
    const flags = Flag.SYN | Flag.ACK | (synAck.flags ?? 0);
    flow.segment('server', flags, 5000, 1001, { options: { more: synAck.options ?? [] } });
    flow.ack();
  });
  setRule(0);
  const left = frames.map((frame) => {
    const at = tcpAt(version);
    const tcp = parseTcp(frame, at);
    if (!tcp.ok) throw new Error('no TCP');
    const [src, dst] = version === 4 ? [14 + 12, 14 + 16] : [14 + 8, 14 + 24];
    const address = (offset: number) =>
      version === 4
        ? Uint8Array.from([...new Uint8Array(10), 255, 255, ...frame.subarray(offset, offset + 4)])
        : frame.subarray(offset, offset + 16);
    return {
      options: Buffer.from(frame.subarray(at + 20, at + tcp.dataOffset)).toString('hex'),
      flags: tcp.flags,
      checksum: tcpChecksum(address(src), address(dst), frame, at) === 0,
    };
  });
  return { left, counts };
}

interface Opening {
  flags?: number;
  options?: number[];
}

const bytesOf = (text: string) => [...Buffer.from(text, 'hex')];
const { ECN_OFF, STRIP } = Setting;
const { ae: AE, ece: ECE, cwr: CWR } = tcpFlags;
const mss = '020405b4';

describe.each([4, 6] as const)('a rule that says strip, over IPv%s', (version) => {
  const stripped: [string, string, string][] = [
    ['MP_CAPABLE', '1e040081', '01010101'],
    ['an unknown option', '4d040102', '01010101'],
    ['one of odd length', '4d0301', '010101'],
    ['an experimental one, and one behind it', `fd04f989${mss}`, `01010101${mss}`],
    ['ENO', '4502', '0101'],
    ['an AccECN option', 'ae050102030101', '01010101010101'],
    [
      'two, with timestamps between',
      '4d0201080a0000000100000000fe020101',
      '010101080a000000010000000001010101',
    ],
    ['a Fast Open cookie', '220a0102030405060708', '01010101010101010101'],
    ['one that fills the space', `4d28${'ab'.repeat(38)}`, '01'.repeat(40)],
    ['one in front of the end', '4d02004d02000000', '0101004d02000000'],
    ['one in front of a malformed one', '4d024d01', '01014d01'],
  ];
  it.each(stripped)('overwrites %s in SYN and SYN-ACK', (_what, options, wanted) => {
    const padded = (text: string) => text.padStart(Math.ceil(text.length / 8) * 8, '01');
    const opening = { options: bytesOf(options) };
    const { left, counts } = shakenWith(version, STRIP, { syn: opening, synAck: opening });
    expect(left[0]).toEqual({ options: padded(wanted), flags: Flag.SYN, checksum: true });
    // A server may give a cookie to whoever asked.
    const answer = options.startsWith('22') ? options : wanted;
    expect(left[1]).toMatchObject({ options: padded(answer), checksum: true });
    expect(counts).toEqual({ seen: 1, completed: 1 });
  });

  it.each([
    ['MD5', `1312${'00'.repeat(16)}`],
    ['TCP-AO', `1d10${'00'.repeat(14)}`],
    ['MP_JOIN', `1e0c10${'00'.repeat(9)}`],
    ['a tiny MSS', '02040057'],
    ['MD5 with an unknown one', `4d021312${'00'.repeat(16)}`],
  ])('leaves %s, and the whole SYN, as it is', (_what, options) => {
    const syn = { options: bytesOf(options), flags: ECE | CWR };
    const { left, counts } = shakenWith(version, STRIP | ECN_OFF, { syn });
    expect(left[0]).toMatchObject({ flags: Flag.SYN | ECE | CWR, checksum: true });
    expect(left[0]?.options.endsWith(options)).toBe(true);
    expect(counts).toEqual({ seen: 1, unsupportedOption: 1 });
  });

  it('makes a classic offer of one of AccECN', () => {
    const { left, counts } = shakenWith(version, STRIP, {
      syn: { flags: AE | CWR | ECE },
      synAck: { flags: ECE },
    });
    expect(left[0]).toMatchObject({ flags: Flag.SYN | CWR | ECE, checksum: true });
    expect(left[1]).toMatchObject({ flags: Flag.SYN | Flag.ACK | ECE, checksum: true });
    expect(counts).toEqual({ seen: 1, completed: 1 });
  });
});

describe.each([4, 6] as const)('a rule that says ecn: off, over IPv%s', (version) => {
  it.each([CWR | ECE, AE | CWR | ECE])('takes the offer %i out', (flags) => {
    const { left, counts } = shakenWith(version, ECN_OFF, { syn: { flags }, synAck: { flags: ECE } });
    expect(left[0]).toMatchObject({ flags: Flag.SYN, checksum: true });
    expect(left[1]).toMatchObject({ flags: Flag.SYN | Flag.ACK, checksum: true });
    expect(counts).toEqual({ seen: 1, completed: 1 });
  });

  it('leaves options alone', () => {
    const { left, counts } = shakenWith(version, ECN_OFF, { syn: { options: bytesOf('4d020101') } });
    expect(left[0]).toEqual({ options: '4d020101', flags: Flag.SYN, checksum: true });
    expect(counts).toEqual({ seen: 1, unsupportedOption: 1 });
  });
});

describe('without settings', () => {
  it.each([
    ['AccECN by flags', { flags: AE | CWR | ECE }, 172],
    ['an unknown option', { options: bytesOf('4d020101') }, 77],
    ['a Fast Open cookie', { options: bytesOf('220a0102030405060708') }, 34],
    ['an MSS below what a socket can be told', { options: bytesOf('02040057') }, 2],
  ])('%s is left as it is, and counted by its kind', (_what, syn: Opening, kind) => {
    const before = sumPerCpu(object.map('unsupported'), kind);
    const { left, counts } = shakenWith(4, 0, { syn });
    expect(left[0]?.flags).toBe(Flag.SYN | (syn.flags ?? 0));
    expect(left[0]?.options.endsWith(Buffer.from(syn.options ?? []).toString('hex'))).toBe(true);
    expect(counts).toEqual({ seen: 1, unsupportedOption: 1 });
    expect(sumPerCpu(object.map('unsupported'), kind) - before).toBe(1);
  });

  it.each([
    ['a request for a Fast Open cookie', '22020101'],
    ['an MSS of 0', '02040000'],
    ['an MSS of 88', '02040058'],
    ['an option behind the end', '00004d02'],
    ['a length of 0', '4d000101'],
    ['a length of 1', '4d010101'],
    ['a length beyond the end', '01014d03'],
    ['a kind without a length at the end', '0101014d'],
  ])('%s is no reason to forward', (_what, options) => {
    const opening = { options: bytesOf(options) };
    const { left, counts } = shakenWith(6, 0, { syn: opening, synAck: opening });
    expect(left.slice(0, 2).map(({ options: text }) => text)).toEqual([options, options]);
    expect(counts).toEqual({ seen: 1, completed: 1 });
  });

  it('an option in the SYN-ACK alone is one, counted once', () => {
    const flow = conversation(4);
    const options = { more: bytesOf('1e040081') };
    const { counts } = counted(() => {
      flow.syn();
      flow.synAck({ options });
      flow.synAck({ options });
      flow.ack();
      return flow.data();
    });
    expect(counts).toEqual({ seen: 1, unsupportedOption: 1 });
  });

  it('data in the SYN-ACK is one', () => {
    const flow = conversation(4);
    const { counts, result } = counted(() => {
      flow.syn();
      flow.synAck({ payload: new Uint8Array(5) });
      return flow.data(5006);
    });
    expect(result).toBe(OK);
    expect(counts).toEqual({ seen: 1, dataInSyn: 1 });
  });
});

it('both SYNs of a simultaneous open go without, since each end must know of the other what the other knows of it', () => {
  const sent: Uint8Array[] = [];
  const flow = conversation(4, undefined, (packet) => {
    const { verdict, left } = runFrame(frameOf(packet));
    sent.push(left);
    return verdict;
  });
  const options = { more: bytesOf('4d020101') };
  setRule(STRIP | ECN_OFF);
  const { counts } = counted(() => {
    flow.segment('client', Flag.SYN | ECE | CWR, 1000, 0, { options });
    flow.segment('server', Flag.SYN | ECE | CWR, 5000, 0, { options });
  });
  setRule(0);
  for (const frame of sent) {
    expect(parseTcp(frame, tcpAt(4))).toMatchObject({ flags: Flag.SYN, options: { others: [] } });
  }
  expect(counts).toEqual({ seen: 1, simultaneousOpen: 1 });
});

describe('a SYN that is repeated', () => {
  it('goes without what the first one went without, also when the rules have changed', () => {
    const sent: Uint8Array[] = [];
    const flow = conversation(4, undefined, (packet) => {
      const { verdict, left } = runFrame(frameOf(packet));
      sent.push(left);
      return verdict;
    });
    setRule(STRIP | ECN_OFF);
    const syn = () =>
      flow.segment('client', Flag.SYN | ECE | CWR, 1000, 0, { options: { more: bytesOf('4d020101') } });
    syn();
    setRule(0);
    syn();
    flow.synAck();
    syn();
    expect(sent[1]).toEqual(sent[0]);
    expect(sent[3]).toEqual(sent[0]);
  });
});
