/** The catalogue as files: written wholly from a run. What an earlier run has left is removed, and nothing else. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { faults } from '../faults/index.js';
import { AuditError } from '../protocol.js';
import { faultPage } from './fault-page.js';
import { indexPage } from './index-page.js';
import type { Run } from './judgement.js';
import { madeBy } from './markdown.js';
import { scoreCard } from './score-card.js';

export function pagesOf(run: Run): Map<string, string> {
  return new Map([
    ['index.md', indexPage(run)],
    ['score-card.svg', scoreCard(run)],
    ...faults.flatMap((fault) => [...faultPage(fault, run)]),
  ]);
}

export function writePages(folder: string, run: Run): number {
  const pages = pagesOf(run);
  try {
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder).filter((each) => /\.(md|svg)$/.test(each))) {
      const file = join(folder, name);
      if (readFileSync(file, 'utf8').startsWith(`<!-- ${madeBy} -->`)) rmSync(file);
    }
    for (const [name, text] of pages) writeFileSync(join(folder, name), text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AuditError(
      'WRITE',
      `writing pages into ${folder}: ${code}`,
      'name a folder that can be written',
    );
  }
  return pages.size;
}
