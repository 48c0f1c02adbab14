// Why access cannot be granted or set up: the one error class of this room.

/**
 * - `missing`: there is no such file yet
 * - `exposed`: others than the owner may read or change the file
 * - `damaged`: the file is not what was written
 * - `busy`: another change of the file is under way, or one was interrupted
 * - `refused`: the change makes no sense, such as retiring the key that signs
 * - `system`: the system said no
 */
export type AccessErrorCode = 'missing' | 'exposed' | 'damaged' | 'busy' | 'refused' | 'system';

/** Its message never holds a secret. */
export class AccessError extends Error {
  readonly code: AccessErrorCode;

  constructor(code: AccessErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AccessError';
    this.code = code;
  }
}
