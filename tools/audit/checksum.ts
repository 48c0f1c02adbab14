// CRC-32 (polynomial 0xEDB88320) of bytes that are whole words: four table look-ups a word.
//
// Records have some forty bytes, where a call into zlib costs more than the sum itself.

const TABLES = [0, 1, 2, 3].map(() => new Int32Array(256));
const [T0, T1, T2, T3] = TABLES;

for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  T0[byte] = value;
}
for (let byte = 0; byte < 256; byte++) {
  for (let table = 1; table < 4; table++) {
    const before = TABLES[table - 1][byte];
    TABLES[table][byte] = (before >>> 8) ^ T0[before & 0xff];
  }
}

/** The CRC-32 of the bytes from `start` to before `end`, a multiple of 4 many. */
export function crc32(view: DataView, start: number, end: number): number {
  // HOT
  let crc = -1;
  for (let at = start; at < end; at += 4) {
    crc ^= view.getInt32(at, true);
    crc = T3[crc & 0xff] ^ T2[(crc >>> 8) & 0xff] ^ T1[(crc >>> 16) & 0xff] ^ T0[crc >>> 24];
  }
  return ~crc >>> 0;
}
