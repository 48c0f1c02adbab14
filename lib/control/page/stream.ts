// The stream of /live: opens it, opens it again when it is cut, and says which of the two it is.

import type { LiveHello, LiveSecond, LiveState } from '../../monitor/live.ts';

/** Seconds that are asked for at the start: as many as the page keeps. */
const PATH = '/live?seconds=900';

const AGAIN_AFTER_MS = 2000;

/** The server tells its state once a second: after so long without it the connection is dead, whatever the browser says. */
const SILENCE_MS = 7000;

export type LinkState = 'connecting' | 'live' | 'cut';

export interface StreamEvents {
  hello(hello: LiveHello): void;
  seconds(seconds: LiveSecond[]): void;
  state(state: LiveState): void;
  link(link: LinkState): void;
}

/** Follows the stream for as long as the page is open. */
export function followStream(events: StreamEvents): void {
  let silence: ReturnType<typeof setTimeout> | undefined;

  const open = () => {
    const source = new EventSource(PATH);
    const cut = () => {
      source.close();
      clearTimeout(silence);
      events.link('cut');
      setTimeout(open, AGAIN_AFTER_MS);
    };
    const hear = () => {
      clearTimeout(silence);
      silence = setTimeout(cut, SILENCE_MS);
    };
    const on = <T>(name: string, tell: (data: T) => void) =>
      source.addEventListener(name, (event: MessageEvent<string>) => {
        hear();
        tell(JSON.parse(event.data) as T);
      });
    on<LiveHello>('hello', (hello) => {
      events.link('live');
      events.hello(hello);
    });
    on<LiveSecond[]>('seconds', events.seconds);
    on<LiveState>('state', events.state);
    source.addEventListener('error', cut);
    hear();
  };

  events.link('connecting');
  open();
}
