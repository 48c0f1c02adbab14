// Takes server-sent events out of a stream of bytes that may be cut anywhere, also inside a character or a line end.
//
// For the page and for `hongbao watch`: it needs nothing that only a browser has, or only Node.
//
// As the HTML standard has it: lines end with LF, CR or CRLF; lines of data are joined with LF; comments, unknown fields
// and an event without data are passed over; what the end of the stream cuts off is no event.

/** Characters that one event may have: more than a quarter of an hour of seconds with all that is in them. */
const MOST_CHARACTERS = 64 * 2 ** 20;

export interface SseEvent {
  /** What it is called; `message` if it has no name. */
  name: string;
  data: string;
}

export class SseParser {
  readonly #decoder = new TextDecoder();
  readonly #mostCharacters: number;
  /** Pieces of a line that has no end yet, and the characters in them and in the data. */
  #pieces: string[] = [];
  #characters = 0;
  /** The text so far ended with CR: an LF that comes next belongs to it. */
  #endedWithCr = false;
  #name = '';
  #data: string[] = [];

  constructor(mostCharacters = MOST_CHARACTERS) {
    this.#mostCharacters = mostCharacters;
  }

  /** The events that these bytes complete. @throws {Error} when an event is longer than any can be */
  push(bytes: Uint8Array): SseEvent[] {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return [];
    if (this.#endedWithCr && text.startsWith('\n')) text = text.slice(1);
    this.#endedWithCr = text.endsWith('\r');
    const lines = text.split(/\r\n|\n|\r/);
    const events: SseEvent[] = [];
    for (let i = 0; i < lines.length; i++) {
      this.#pieces.push(lines[i]);
      this.#characters += lines[i].length;
      if (this.#characters > this.#mostCharacters) throw new Error('an event of the stream is too long');
      if (i === lines.length - 1) break;
      const event = this.#endLine(this.#pieces.join(''));
      this.#pieces = [];
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  /** Takes a whole line; the event that it ends, if it is the empty one. */
  #endLine(line: string): SseEvent | undefined {
    if (line === '') return this.#endEvent();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
    else this.#characters -= line.length;
    return undefined;
  }

  #endEvent(): SseEvent | undefined {
    const event = { name: this.#name === '' ? 'message' : this.#name, data: this.#data.join('\n') };
    const hasData = this.#data.length > 0;
    this.#name = '';
    this.#data = [];
    this.#characters = 0;
    return hasData ? event : undefined;
  }
}
