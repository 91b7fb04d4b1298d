/** The outcome of an audit as JUnit XML, for whatever collects test results. */
import { escapeMarkup } from './html.js';
import { summaryOf } from './report.js';
import type { Audit, Result } from './runner.js';

export function junitReport({ server, results, broken }: Audit): string {
  const { wrong, notTested } = summaryOf(results);
  const counts = `tests="${results.length}" failures="${wrong}" skipped="${notTested}" errors="${broken ? 1 : 0}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
<testsuite name="desplice audit ${escapeMarkup(server)}" ${counts}>
${results.map(testcase).join('\n')}
${broken ? `<system-err>${printable(broken.message)}</system-err>\n` : ''}</testsuite>
</testsuites>
`;
}

function testcase({ case: { id, group }, verdict, reason, seen }: Result): string {
  const open = `<testcase classname="${group}" name="${id}"`;
  const said = `client: ${seen.client}\nserver: ${seen.server}`;
  switch (verdict) {
    case 'right':
      return `${open}/>`;
    case 'wrong':
      return `${open}><failure message="${printable(reason)}">${printable(said)}</failure></testcase>`;
    case 'not tested':
      return `${open}><skipped message="${printable(reason)}"/></testcase>`;
    // A path that is right for what it does: no failure, but not silent either.
    case 'differs':
      return `${open}><system-out>${printable(`differs: ${reason}\n${said}`)}</system-out></testcase>`;
  }
}

/** XML 1.0 has no words for most control characters (section 2.2). */
const printable = (text: string): string =>
  escapeMarkup([...text].filter((letter) => letter >= ' ' || letter === '\n' || letter === '\t').join(''));
