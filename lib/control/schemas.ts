// What the control API accepts: every body and parameter, checked before anybody else sees it.

import { z } from 'zod';

/** The largest amount of money that a JSON number carries exactly. */
const MOST_CENTS = Number.MAX_SAFE_INTEGER;

const MOST_RATE = 1_000_000;
const MOST_USER_ID = 0x7fff_ffff;
const MOST_COUNT = 0x7fff_ffff;
const MOST_EXPIRY_SECONDS = 30 * 24 * 60 * 60;

function wholeNumber(name: string, low: number, high: number) {
  const error = `${name} must be a whole number from ${low} to ${high}`;
  return z.number({ error }).int({ error }).min(low, { error }).max(high, { error });
}

function rate(name: string) {
  const error = `${name} must be a number above 0 and at most ${MOST_RATE}`;
  return z.number({ error }).gt(0, { error }).max(MOST_RATE, { error });
}

const cents = (name: string) => wholeNumber(`${name} (cents)`, 1, MOST_CENTS);

/** How far ahead a campaign may be scheduled, in milliseconds: a year. */
const MOST_AHEAD_MS = 366 * 24 * 60 * 60 * 1000;

const startAtError = 'startAt must be a time such as 2027-02-17T20:00:00+08:00, within the next year';

/** A time with its zone, to Unix milliseconds. One that has passed is now. */
const startAt = z
  .string({ error: startAtError })
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/, { error: startAtError })
  .transform((text) => Date.parse(text))
  .refine((ms) => ms >= 0 && ms < Date.now() + MOST_AHEAD_MS, { error: startAtError });

/** Only says what would come of it. */
const dryRun = z.boolean({ error: 'dryRun must be true or false' });

/** Body of POST /drops. */
export const dropBody = z.strictObject({
  count: wholeNumber('count', 1, MOST_COUNT),
  rate: rate('rate'),
  budget: cents('budget'),
  min: cents('min').optional(),
  max: cents('max').optional(),
  winsPerUser: wholeNumber('winsPerUser', 1, MOST_COUNT).optional(),
  startAt: startAt.optional(),
  dryRun: dryRun.optional(),
});
export type DropBody = z.infer<typeof dropBody>;

/** Body of POST /sends. */
export const sendBody = z.strictObject({
  count: wholeNumber('count', 1, MOST_COUNT),
  rate: rate('rate'),
  shares: wholeNumber('shares', 1, MOST_COUNT),
  total: z.union([cents('total'), z.tuple([cents('total'), cents('total')])], {
    error: 'total must be cents, or [low, high] in cents: whole numbers from 1',
  }),
  users: z.tuple([wholeNumber('users[0]', 0, MOST_USER_ID), wholeNumber('users[1]', 0, MOST_USER_ID)], {
    error: `users must be [first, last]: user ids from 0 to ${MOST_USER_ID}`,
  }),
  mode: z.enum(['lucky', 'line', 'equal'], { error: "mode must be 'lucky', 'line' or 'equal'" }).optional(),
  expiresInSeconds: wholeNumber('expiresInSeconds', 1, MOST_EXPIRY_SECONDS).optional(),
  recipients: wholeNumber('recipients', 1, MOST_COUNT).optional(),
  cap: cents('cap').optional(),
  startAt: startAt.optional(),
  dryRun: dryRun.optional(),
});
export type SendBody = z.infer<typeof sendBody>;

/** Ids go through 32 bits: a longer one would be taken for another. */
const MOST_ID = 0xffff_ffff;
const idError = `the id must be a whole number from 0 to ${MOST_ID}`;

/** The parameter of /drops/:id and its like. */
export const idParams = z.strictObject({
  id: z
    .string()
    .regex(/^\d{1,10}$/, { error: idError })
    .transform(Number)
    .pipe(z.number().max(MOST_ID, { error: idError })),
});

const userError = `the user id must be a whole number from 0 to ${MOST_USER_ID}`;

/** The parameter of /users/:id and its like. */
export const userParams = z.strictObject({
  id: z
    .string()
    .regex(/^\d{1,10}$/, { error: userError })
    .transform(Number)
    .pipe(z.number().max(MOST_USER_ID, { error: userError })),
});

/** The largest amount of one transfer, in cents: a tenth of what a number counts exactly, as for budgets. */
const MOST_TRANSFER = 900_000_000_000_000;

const MOST_KEY_BYTES = 64;
const keyError = `key must be a string of 1 to ${MOST_KEY_BYTES} bytes`;

/** Body of POST /users/:id/topup and /users/:id/withdraw. */
export const transferBody = z.strictObject({
  cents: wholeNumber('cents', 1, MOST_TRANSFER),
  key: z
    .string({ error: keyError })
    .refine((key) => key !== '' && Buffer.byteLength(key) <= MOST_KEY_BYTES && !/\p{Surrogate}/u.test(key), {
      error: keyError,
    }),
});
export type TransferBody = z.infer<typeof transferBody>;

function queryNumber(name: string, low: number, high: number) {
  const error = `${name} must be a whole number from ${low} to ${high}`;
  return z
    .string()
    .regex(/^\d{1,16}$/, { error })
    .transform(Number)
    .pipe(z.number().min(low, { error }).max(high, { error }))
    .optional();
}

/** Which of a user's records: GET /users/:id. */
export const recordsQuery = z.strictObject({
  limit: queryNumber('limit', 1, 100),
  before: queryNumber('before', 1, MOST_CENTS),
});
export type RecordsQuery = z.infer<typeof recordsQuery>;

/** How much of the past GET /live and GET /samples tell, in seconds. */
export const liveQuery = z.strictObject({
  seconds: queryNumber('seconds', 0, 3600).default(900),
});

const MOST_QPS = 1_000_000;

/** Body of PUT /clients/qps. */
export const qpsBody = z.strictObject({ qps: wholeNumber('qps', 0, MOST_QPS) });

const MOST_LEVEL = 3;

/** Body of PUT /level. */
export const levelBody = z.strictObject({ level: wholeNumber('level', 0, MOST_LEVEL) });
export type LevelBody = z.infer<typeof levelBody>;
