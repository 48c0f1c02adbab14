// Why the ledger cannot start or cannot go on.

/**
 * `code`: `damaged` (the journal or the snapshot is not what was written; nothing was changed), `missing` (a segment is not
 * there), `locked` (another server uses the directory), `write` (the disk refused a write or a sync: final), `version` (a
 * later version wrote it).
 */
export class LedgerError extends Error {
  readonly code: 'damaged' | 'missing' | 'locked' | 'write' | 'version';

  constructor(code: LedgerError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LedgerError';
    this.code = code;
  }
}
