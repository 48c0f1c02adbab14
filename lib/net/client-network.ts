// The network that a client's address stands for where connections are counted: one who has an IPv6 address has 2^64 of them.

const GROUPS_OF_64_BITS = 4;

const IPV4_IN_IPV6 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** @param address as the system writes it @returns an IPv4 address as it is, also one mapped into IPv6; the first 64 bits of another */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = IPV4_IN_IPV6.exec(address);
  if (mapped !== null) return mapped[1];
  const [head, tail] = address.split('%')[0].split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 2 * GROUPS_OF_64_BITS - first.length - last.length);
  const groups = [...first, ...Array<string>(zeros).fill('0'), ...last];
  return `${groups.slice(0, GROUPS_OF_64_BITS).join(':')}::/64`;
}
