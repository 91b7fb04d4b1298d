import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { ControlError } from '../control/error.js';
import { UsageError } from '../policy/errors.js';
import { describeFailure, Exit } from './fail.js';

describe('failures of commands', () => {
  it('show message and hint, and tell usage from failure', () => {
    expect(describeFailure(new UsageError('no port', 'name one'))).toEqual({
      exitCode: 2,
      text: 'desplice: no port\nhint: name one\n',
    });
    expect(describeFailure(new ControlError('NO_ENGINE', 'no engine'))).toEqual({
      exitCode: 1,
      text: 'desplice: no engine\n',
    });
  });

  it('say nothing twice', () => {
    expect(describeFailure(new Exit(130))).toEqual({ exitCode: 130, text: '' });
    expect(describeFailure(new CommanderError(1, 'commander.unknownOption', 'x'))).toEqual({
      exitCode: 2,
      text: '',
    });
    expect(describeFailure(new CommanderError(0, 'commander.version', 'x'))).toEqual({
      exitCode: 0,
      text: '',
    });
  });

  it('show the place of a mistake in the program', () => {
    const { exitCode, text } = describeFailure(new TypeError('x is not a function'));
    expect(exitCode).toBe(1);
    expect(text).toMatch(/^desplice: x is not a function\n +at /);
  });
});
