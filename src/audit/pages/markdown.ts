/** What the pages have in common. */
import type { Fault } from '../faults/fault.js';

/** By this the writer knows its own files, and removes no others. */
export const madeBy = 'Written from a run of the matrix (make matrix); the next one writes it anew.';

export const twoDigits = ({ number }: Fault): string => String(number).padStart(2, '0');
export const fileOf = (fault: Fault): string => `${twoDigits(fault)}-${fault.slug}.md`;

export const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** A text that came from a run, inside a table. */
export const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** What `untold` says behind the name of the fault, which the page has already. */
export const reasonOf = (untold: string): string => untold.slice(untold.indexOf(': ') + 2);
