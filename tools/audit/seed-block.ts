// One block of the random numbers of a split: SHA-256 of a seed and a block number, 36 bytes.
//
// The message fits into one round of the function, which is written out here: a drop of a million packets takes a quarter
// of a million of them, and a call into the crypto library costs several times as much as the sum itself.

const SEED_WORDS = 8;
const MESSAGE_BITS = 36 * 8;

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square roots of 8. */
const ROUNDS = new Int32Array(64);
const START = new Int32Array(8);

for (let prime = 2, count = 0; count < ROUNDS.length; prime++) {
  let factor = 2;
  while (prime % factor !== 0) factor++;
  if (factor < prime) continue;
  if (count < START.length) START[count] = fraction(BigInt(prime), 2);
  ROUNDS[count++] = fraction(BigInt(prime), 3);
}

const schedule = new Int32Array(64);

/** Writes block `number` of a seed. @param seed eight big-endian words  @param into eight words */
export function makeSeedBlock(seed: Int32Array, number: number, into: Uint32Array): void {
  // HOT
  const w = schedule;
  w.set(seed);
  w[SEED_WORDS] = number;
  w[9] = 1 << 31;
  w.fill(0, 10, 15);
  w[15] = MESSAGE_BITS;
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15];
    const y = w[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
  }
  let [a, b, c, d] = [START[0], START[1], START[2], START[3]];
  let [e, f, g, h] = [START[4], START[5], START[6], START[7]];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[i] + w[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  into[0] = START[0] + a;
  into[1] = START[1] + b;
  into[2] = START[2] + c;
  into[3] = START[3] + d;
  into[4] = START[4] + e;
  into[5] = START[5] + f;
  into[6] = START[6] + g;
  into[7] = START[7] + h;
}

/** The first 32 bits behind the point of a root of a prime, by whole numbers only. */
function fraction(prime: bigint, power: 2 | 3): number {
  const scaled = prime << BigInt(32 * power);
  let low = 0n;
  let high = prime << 32n;
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    if (middle ** BigInt(power) <= scaled) low = middle;
    else high = middle - 1n;
  }
  return Number(BigInt.asIntN(32, low));
}
