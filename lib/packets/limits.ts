// The bounds of packets and drops, each with its reason.

/** The least a share may be, in cents: nobody is ever told "you won 0". */
export const DEFAULT_MIN_CENTS = 1;

/** The most a share may be by default, in cents: 200 yuan, the customary bound. */
export const DEFAULT_MAX_CENTS = 20_000;

/** The largest amount of one share and the largest total of one sent packet, in cents: amounts live in Int32 words. */
export const MAX_AMOUNT_CENTS = 0x7fff_ffff;

/** The largest budget of a drop in cents: a tenth of what a double counts exactly, so that sums of budgets stay exact. */
export const MAX_BUDGET_CENTS = 900_000_000_000_000;

/** Shares of one sent packet by default at the most: each grab looks through them. */
export const DEFAULT_MAX_SHARES = 100;

/** The most that `maxShares` can be set to: each grab looks through a packet's claims, 100,000 words in 50 us. */
export const MAX_SHARES = 100_000;

/** Drops that can be open at once: a shake that may win looks through them. */
export const MAX_OPEN_DROPS = 64;

/**
 * Packets of all open drops together. Each has a word for its amount, and one for its number if its drop was taken up
 * again after a restart: 256 MB of address space, paged in as it is used.
 */
export const DROP_ARENA_WORDS = 2 ** 25;

/** Slots of the packet table: the slot part of a packet id has 20 bits. */
export const MAX_PACKET_SLOTS = 2 ** 20;

/** Packets that are over and stay readable at the least, as far as there is room: a minute and a half at 200 a second. */
export const KEPT_PACKETS = 16_384;

/** Words for the shares of all sent packets: 64 a slot on average; paged in as it is used. */
export const SHARE_ARENA_WORDS = 2 ** 26;

/** How long a sent packet lives by default, in seconds: a day. */
export const DEFAULT_EXPIRY_SECONDS = 24 * 60 * 60;

/** Notices that wait for one user at the most; past it the oldest is dropped and counted, its share stays grabbable. */
export const MAX_PENDING_NOTICES = 100;

/** Users that one packet of the house goes to: its record, and the notices, are still a matter of milliseconds. */
export const MAX_RECIPIENTS = 50_000;
