/** A failure at the control socket; `message` says what failed, on what, and why. */
export class ControlError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
    this.name = 'ControlError';
  }
}
