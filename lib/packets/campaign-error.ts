// The one error of drops and sends that cannot be started: the numbers do not fit, or there is no room.

/**
 * `code` for programs: `bad_request` (the numbers contradict each other; the message says what is allowed), `no_room`
 * (too much is open already; try again later), `not_found`.
 */
export class CampaignError extends Error {
  readonly code: 'bad_request' | 'no_room' | 'not_found';

  constructor(code: CampaignError['code'], message: string) {
    super(message);
    this.name = 'CampaignError';
    this.code = code;
  }
}
