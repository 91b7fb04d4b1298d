/** What a run of the matrix says of each fault: nothing in the pages about who does what comes from anywhere else. */
import type { Family } from '../calls.js';
import type { AuditCase, Verdict } from '../case.js';
import { catalogue } from '../catalogue.js';
import type { Fault } from '../faults/fault.js';
import { ipv6 } from '../faults/ipv6.js';
import type { Column, Outcome } from '../matrix.js';

/** One system with its columns, of which there is one for each family that was run. */
export interface System {
  box: string;
  what: string;
  version: string;
  /** Why it has no verdicts at all, or ''. */
  left: string;
  /** Those with verdicts. */
  columns: readonly Column[];
  /** Families over which it was left out, and why. */
  without: readonly { family: Family; why: string }[];
}

export interface Run {
  columns: readonly Column[];
  /** YYYY-MM-DD. */
  date: string;
  /** Of desplice. */
  version: string;
}

/** One case at one system. */
export interface Finding extends Outcome {
  case: AuditCase;
  family: Family;
}

export function systemsOf({ columns }: Run): System[] {
  const boxes = [...new Set(columns.map(({ box }) => box))];
  return boxes.map((name) => {
    const mine = columns.filter(({ box }) => box === name);
    const ran = mine.filter(({ left }) => left === '');
    const { box, what, version, left } = (ran[0] ?? mine[0]) as Column;
    const without = mine.flatMap(({ family, left: why }) => (why ? [{ family, why }] : []));
    return { box, what, version, left, columns: ran, without };
  });
}

export const casesOf = (fault: Fault): AuditCase[] =>
  catalogue.filter(({ faults }) => faults.includes(fault.number));

/** What is about IPv6 alone is not told by IPv4, though the same case runs over both. */
const isAboutIpv6 = (fault: Fault): boolean => ipv6.includes(fault);

export function findingsOf(fault: Fault, system: System): Finding[] {
  const aside = isAboutIpv6(fault) && leavesIpv6Alone(system);
  return casesOf(fault).flatMap((each) =>
    system.columns
      .filter(({ family }) => family === 6 || !isAboutIpv6(fault))
      .flatMap(({ family, verdicts }) => {
        const outcome = verdicts[each.id];
        if (!outcome) return [];
        return [
          { case: each, family, ...outcome, reason: plainReason(outcome), ...(aside ? notItsOwn : {}) },
        ];
      }),
  );
}

const notItsOwn = { verdict: 'not tested', reason: 'it leaves IPv6 alone' } as const;

/** That a case ran twice is of interest to who runs it. */
const plainReason = ({ reason }: Outcome): string => reason.replace(/ \(second try: .*\)$/, '');

/**
 * Where nothing at all is other than right over IPv6, and cases that ran over both are over IPv4, the system as it was configured
 * intercepts IPv4 only: what is right over IPv6 then is plain forwarding.
 */
export function leavesIpv6Alone({ columns }: System): boolean {
  const of = (family: Family) => columns.find((each) => each.family === family)?.verdicts;
  const [four, six] = [of(4), of(6)];
  if (!four || !six) return false;
  const isBad = (outcome?: Outcome) => outcome?.verdict === 'wrong' || outcome?.verdict === 'differs';
  if (Object.values(six).some(isBad)) return false;
  return Object.entries(four).some(([id, outcome]) => isBad(outcome) && six[id]?.verdict === 'right');
}

/** Cases that say one thing over IPv4 and another one over IPv6, of those that say something over both. */
export function unlike({ columns }: System): { id: string; four: Verdict; six: Verdict }[] {
  const of = (family: Family) => columns.find((each) => each.family === family)?.verdicts ?? {};
  const [four, six] = [of(4), of(6)];
  return catalogue.flatMap(({ id, families }) => {
    const [a, b] = [four[id], six[id]];
    const told = a && b && a.verdict !== 'not tested' && b.verdict !== 'not tested';
    return !families && told && a.verdict !== b.verdict ? [{ id, four: a.verdict, six: b.verdict }] : [];
  });
}

const gravest: readonly Verdict[] = ['wrong', 'differs', 'right'];

export function worst(findings: readonly Finding[]): Verdict {
  return gravest.find((verdict) => findings.some((each) => each.verdict === verdict)) ?? 'not tested';
}

/** By which an outcome is shown: the first that is wrong, or else different, and has a capture. */
export function example(fault: Fault, systems: readonly System[]): (Finding & { system: System }) | null {
  const all = systems.flatMap((system) => findingsOf(fault, system).map((each) => ({ ...each, system })));
  const shown = all.filter(({ views }) => (views?.client.length ?? 0) + (views?.server.length ?? 0) > 0);
  return (
    shown.find(({ verdict }) => verdict === 'wrong') ??
    shown.find(({ verdict }) => verdict === 'differs') ??
    null
  );
}
