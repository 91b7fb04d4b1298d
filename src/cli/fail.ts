import { CommanderError } from 'commander';

/** What a failed command prints and returns. */
export interface Failure {
  exitCode: number;
  /** Lines for stderr; empty when they were printed already. */
  text: string;
}

/** Ends a command with a code of its own and nothing to say: `doctor` found something missing, an interrupt. */
export class Exit extends Error {
  constructor(readonly exitCode: number) {
    super(`exit ${exitCode}`);
    this.name = 'Exit';
  }
}

/**
 * Exit code and words for anything that a command can throw. Errors are told apart by `code` and `usage`, not by class:
 * they come from several rooms, and by JSON from another process.
 */
export function describeFailure(error: unknown): Failure {
  if (error instanceof Exit) return { exitCode: error.exitCode, text: '' };
  if (error instanceof CommanderError) {
    // Help and version that were asked for come as exit code 0; commander has printed everything.
    return { exitCode: error.exitCode === 0 ? 0 : 2, text: '' };
  }
  if (!(error instanceof Error)) return { exitCode: 1, text: `desplice: ${String(error)}\n` };
  const { code, hint, usage } = error as { code?: unknown; hint?: unknown; usage?: unknown };
  const exitCode = code === 'USAGE' || usage === true ? 2 : 1;
  let text = `desplice: ${error.message}\n`;
  if (typeof hint === 'string' && hint !== '') text += `hint: ${hint}\n`;
  // An error without a code is a mistake in the program, and whoever reports it needs the place.
  else if (typeof code !== 'string' && error.stack)
    text += `${error.stack.split('\n').slice(1).join('\n')}\n`;
  return { exitCode, text };
}
