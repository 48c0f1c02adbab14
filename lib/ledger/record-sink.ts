// Who takes the records of a journal, one by one in their order: recovery, the snapshot, the history.

/** Called synchronously; `words` is only good during the call. */
export interface RecordSink {
  /**
   * Takes one record.
   * @param type a RecordType, or one of a later version
   * @param words where the payload lies: `payloadWords` words from `at` on; see record-layout.ts
   * @param timeMs Unix milliseconds of its batch
   */
  onRecord(type: number, sequence: number, words: Int32Array, at: number, payloadWords: number, timeMs: number): void;
}
