/** The engine could not do what was asked. `code` is stable; `usage` marks what the caller has to write differently. */
export class EngineError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly hint?: string,
    options: ErrorOptions & { usage?: boolean } = {},
  ) {
    super(message, options);
    this.name = 'EngineError';
    this.usage = options.usage ?? false;
  }
  readonly usage: boolean;
}
