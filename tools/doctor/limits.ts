// What a server needs of a machine, each with its reason.

/** reusePort, type stripping and the Atomics that are used. */
export const NODE_MAJOR = 26;

/** The most that --max-connections takes. */
export const MOST_CONNECTIONS = 10_000_000;

/** Ports that the load client takes of one address before it goes on to the next. */
export const LOAD_PORTS = 10_000;

/** What the kernel counts buffers in. */
export const PAGE_BYTES = 4096;

/** One connection in ten has a page under way each way at an instant: a shake is 16 bytes, and costs a page. */
export const TCP_PAGES_PER_CONNECTION = 0.2;

/** Above this default a few thousand peers that do not read fill what the kernel has for all. */
export const MOST_BUFFER_BYTES = 256 * 1024;

/** A server without connections, and what each adds in it and in the kernel: socket, file, inode, entry of the poll. */
export const PROCESS_BYTES = 220 * 2 ** 20;
export const BYTES_PER_CONNECTION = 2048;
export const KERNEL_BYTES_PER_CONNECTION = 4096;

/** Ten million grabs with their snapshot: a campaign. */
export const FREE_BYTES = 2 ** 30;

/** Faster than this no disk is, and slower than that a campaign feels it. */
export const LEAST_SYNC_US = 30;
export const MOST_SYNC_US = 20_000;

export const VOLATILE_FILE_SYSTEMS: readonly string[] = ['tmpfs', 'ramfs'];
export const LOCAL_FILE_SYSTEMS: readonly string[] = ['ext4', 'ext3', 'xfs', 'btrfs', 'zfs', 'f2fs', 'apfs'];
