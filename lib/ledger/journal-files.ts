// What the journal needs of a file system, and nothing more: the seam where tests put a disk that fails or loses power.

/** The directory of the segments. All calls are synchronous: only threads that may block use them. */
export interface JournalFiles {
  /** Names of the files, ascending. */
  list(): string[];
  /** Makes a new, empty file; fails if it is there. It is on the disk for sure after `syncDirectory`. */
  create(name: string): JournalFile;
  /** Opens a file for writing. */
  open(name: string): JournalFile;
  /** Reads up to `into.length` bytes at `position` into `into`; returns how many there were. */
  read(name: string, position: number, into: Uint8Array): number;
  /** Bytes of a file. */
  size(name: string): number;
  remove(name: string): void;
  /** Makes the names in the directory durable. */
  syncDirectory(): void;
  /** Gives back what `read` keeps open. */
  close(): void;
}

/** A file open for writing. */
export interface JournalFile {
  /** Writes all of `bytes` at `position`. @throws the system's error */
  write(bytes: Uint8Array, position: number): void;
  /** Makes everything written durable (fdatasync). @throws the system's error, after which nothing is known of the file */
  sync(): void;
  truncate(bytes: number): void;
  close(): void;
}
