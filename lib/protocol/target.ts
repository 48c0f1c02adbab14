// An address to connect to, as text: host:port, with an IPv6 address in brackets.

export interface Target {
  host: string;
  /** 1 to 65,535. */
  port: number;
}

/** The longest name of a host in characters: that of the DNS. */
const MAX_HOST_LENGTH = 253;

/** The target that a text names, or undefined if it names none. */
export function readTarget(text: string): Target | undefined {
  const parts = /^(?:\[([\da-fA-F:.]+)\]|([^\s:/[\]@]+)):(\d{1,5})$/.exec(text);
  if (parts === null) return undefined;
  const host = parts[1] ?? parts[2];
  const port = Number(parts[3]);
  return host.length <= MAX_HOST_LENGTH && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}
