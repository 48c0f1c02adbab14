// Why a server could not start, or had to end.

/**
 * `code`: `bad_option` (an option is out of its range), `descriptors` (the process may not open enough files), `listen`
 * (the port cannot be had), `data` (the data directory cannot be used, or what is in it is not what was written), `thread` (a
 * thread has failed), `journal` (the disk has refused a write: nothing more can be promised).
 */
export class ServerError extends Error {
  readonly code: 'bad_option' | 'descriptors' | 'listen' | 'data' | 'thread' | 'journal';

  constructor(code: ServerError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ServerError';
    this.code = code;
  }
}
