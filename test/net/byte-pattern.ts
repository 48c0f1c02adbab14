// Bytes that say where they belong: what a connection is sent, by place.

/** The byte at a place of what a connection is sent. */
export function patternAt(connection: number, place: number): number {
  return (place * 31 + (place >>> 8) * 7 + connection * 101) & 0xff;
}
