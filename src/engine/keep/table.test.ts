import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memfd } from '../../kernel/memfd.js';
import { close } from '../../kernel/socket.js';
import { KeptTable, tableBytes } from './table.js';

let fd: number;
let old: KeptTable;
/** As another process sees it. */
let next: KeptTable;

beforeEach(() => {
  fd = memfd('desplice-test', tableBytes(1, 8));
  old = KeptTable.create(fd, 1, 8, 1);
  next = KeptTable.open(fd) as KeptTable;
});
afterEach(() => close(fd));

describe('an offer', () => {
  it('that is taken can be neither withdrawn nor taken again', () => {
    const offer = old.offer();
    expect(next.takeOffer(offer)).toBe(true);
    expect(old.withdrawOffer(offer)).toBe(false);
    expect(next.takeOffer(offer)).toBe(false);
  });

  it('that is withdrawn cannot be taken', () => {
    const offer = old.offer();
    expect(old.withdrawOffer(offer)).toBe(true);
    expect(next.takeOffer(offer)).toBe(false);
  });

  it('is another one than that before it', () => {
    const first = old.offer();
    expect(old.withdrawOffer(first)).toBe(true);
    const second = old.offer();
    expect(next.takeOffer(first), 'by one that was slow').toBe(false);
    expect(next.takeOffer(second)).toBe(true);
  });

  it('is there only when it was made', () => {
    expect(next.takeOffer(0)).toBe(false);
    expect(next.takeOffer(1)).toBe(false);
  });
});
