import { describe, expect, it } from 'vitest';
import { found } from './case.js';
import { catalogue } from './catalogue.js';
import { htmlReport } from './html.js';
import { junitReport } from './junit.js';
import { AuditError } from './protocol.js';
import { jsonReport, textReport } from './report.js';
import type { Audit, Result } from './runner.js';

const view = {
  client: '192.0.2.2',
  clientPort: 40_000,
  server: '203.0.113.2',
  serverPort: 7410,
  start: 0,
  isn: { '>': 1, '<': null },
  events: [
    {
      time: 0,
      direction: '>' as const,
      kind: 'syn' as const,
      seq: 0,
      end: 1,
      ack: null,
      flags: 'SYN',
      header: 'ttl 64 DF',
      detail: 'win 500 <mss 1460,nop,option 253 3c623e>',
      label: '',
      window: 500,
      notes: ['a <b>'],
      packets: 1,
    },
  ],
};

const result = (at: number, verdict: Result['verdict'], reason: string): Result => ({
  case: catalogue[at] as Result['case'],
  verdict,
  reason,
  seen: { client: 'a <b> & "c"', server: 'nothing' },
  views: { client: [view], server: [] },
});

const audit: Audit = {
  server: '203.0.113.2',
  family: 4,
  results: [
    result(0, 'right', 'as it should be'),
    result(1, 'wrong', 'it was <bad>\u0001'),
    result(2, 'differs', 'other'),
    result(3, 'not tested', 'needs root'),
  ],
  broken: null,
};

it('says when the cases were wrapped, and only then', () => {
  expect(jsonReport({ ...audit, wrap: 'http' })).toHaveProperty('wrap', 'http');
  expect(jsonReport({ ...audit, wrap: null })).not.toHaveProperty('wrap');
});

describe('found', () => {
  const seen = { client: '', server: '' };

  it('takes the first complaint; what only differs counts when nothing is wrong', () => {
    expect(found(seen, [false, 'bad', 'worse'], 'other')).toMatchObject({ verdict: 'wrong', reason: 'bad' });
    expect(found(seen, [false, null], [undefined, 'other'])).toMatchObject({
      verdict: 'differs',
      reason: 'other',
    });
    expect(found(seen, '', [])).toMatchObject({ verdict: 'right' });
  });
});

describe('the reports', () => {
  it('JSON has what scripts rely on, and nothing else', () => {
    const [first] = audit.results as [Result];
    expect(JSON.parse(JSON.stringify(jsonReport({ ...audit, results: [first] })))).toEqual({
      version: 1,
      server: '203.0.113.2',
      summary: { right: 1, wrong: 0, differs: 0, notTested: 0 },
      cases: [
        {
          id: 'handshake-passes',
          group: 'handshake',
          faults: [1],
          verdict: 'right',
          reason: 'as it should be',
          sent: first.case.sent,
          seen: first.seen,
        },
      ],
    });
  });

  it('JSON has what was captured where that is asked for', () => {
    const { cases } = jsonReport(audit, { views: true }) as { cases: { views: unknown }[] };
    expect(cases[0]?.views).toEqual({ client: [view], server: [] });
  });

  it('text says of what is wrong what follows, and what to change', () => {
    const text = textReport(audit);
    expect(text).toContain((catalogue[1] as Result['case']).consequence);
    expect(text).toContain('1 right, 1 wrong, 1 different, 1 not tested');
  });

  it('HTML needs nothing from elsewhere, and escapes what came from the path', () => {
    const page = htmlReport(audit, '1.2.3', new Date(0));
    expect(page.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/<script|<link|<img|https?:/);
    expect(page).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
    expect(page).toContain('>SYN mss 1460 option 253 3c623e ! a &lt;b&gt;</text>');
    expect(page).not.toContain('<bad>');
  });

  it('JUnit counts failures and skipped cases, and holds no control characters', () => {
    const broken = new AuditError('BROKEN', 'it broke');
    const xml = junitReport({ ...audit, broken });
    expect(xml).toContain('tests="4" failures="1" skipped="1" errors="1"');
    expect(xml).toContain('<failure message="it was &lt;bad&gt;">');
    expect(xml).not.toContain('\u0001');
  });
});
