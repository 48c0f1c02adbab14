// The one error of drops and sends: they cannot be started, or cannot be done what is asked.

/**
 * `code` for programs: `bad_request` (the numbers contradict each other; the message says what is allowed), `no_room`
 * (too much is open already; try again later), `not_found`, `over` (it is past what is asked), `busy` (the disk
 * does not take it now).
 */
export class CampaignError extends Error {
  readonly code: 'bad_request' | 'no_room' | 'not_found' | 'over' | 'busy';

  constructor(code: CampaignError['code'], message: string) {
    super(message);
    this.name = 'CampaignError';
    this.code = code;
  }
}
