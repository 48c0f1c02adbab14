// Takes the events out of the stream of /live, as the server writes them: `event: NAME`, `data: JSON`, an empty line.

export interface StreamEvent {
  name: string;
  data: unknown;
}

export class EventReader {
  readonly #decoder = new TextDecoder();
  /** Pieces of an event that is not whole yet. */
  #pieces: string[] = [];

  /** The events that these bytes complete. @throws {SyntaxError} when one is not JSON */
  push(bytes: Uint8Array): StreamEvent[] {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return [];
    const events: StreamEvent[] = [];
    // An event ends with an empty line, whose two line ends may come in two pieces.
    this.#pieces.push(text);
    const last = this.#pieces.length > 1 ? this.#pieces.at(-2)! : '';
    if (!text.includes('\n\n') && !(last.endsWith('\n') && text.startsWith('\n'))) return events;
    const whole = this.#pieces.join('').split('\n\n');
    this.#pieces = [whole.pop()!];
    for (const block of whole) {
      const match = /^event: (\w+)\ndata: (.*)$/.exec(block);
      if (match !== null) events.push({ name: match[1], data: JSON.parse(match[2]) });
    }
    return events;
  }
}
