// Who shakes when: the rule by which any number of load clients add up to one steady load without talking to each other.
//
// All clients agree on the population (N users, from `first` on) and on Q requests a second, and read the same wall clock.
// Number all requests since 1970 in their order: second t has the numbers t*Q to t*Q + Q - 1, request k of a second is
// due k/Q into it, and number n belongs to user first + (n mod N). So a second's users follow from user ids and the clock
// alone; every user shakes once before anybody shakes twice; and Q need not divide N.

/** What all load clients of one test agree on. */
export interface Population {
  /** The first user id, and how many users there are. */
  first: number;
  users: number;
  /** Requests a second over all of them. */
  qps: number;
}

/** The number of the first request that is due at or after a moment (Unix milliseconds). */
export function firstNumberAt(population: Population, ms: number): number {
  const second = Math.floor(ms / 1000);
  // Multiplied before it is divided: the other way round a whole number can come out a little above itself.
  return second * population.qps + Math.ceil(((ms - second * 1000) * population.qps) / 1000);
}

/** When a request is due, in Unix milliseconds with fractions. */
export function dueMs(population: Population, number: number): number {
  const second = Math.floor(number / population.qps);
  return second * 1000 + ((number - second * population.qps) * 1000) / population.qps;
}

/** Whose request it is. */
export function userOf(population: Population, number: number): number {
  return population.first + (number % population.users);
}
