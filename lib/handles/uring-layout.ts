// The parts of linux/io_uring.h that uring.ts uses: flags, opcodes, and the layout of what is shared with the kernel, in words
// of four bytes.

export const SETUP_CQSIZE = 1 << 3;
export const SETUP_SUBMIT_ALL = 1 << 7;
export const SETUP_TASKRUN_FLAG = 1 << 9;
export const SETUP_SINGLE_ISSUER = 1 << 12;
export const SETUP_DEFER_TASKRUN = 1 << 13;
export const SETUP_NO_MMAP = 1 << 14;

/** Words of struct io_uring_params. */
export const PARAMS_WORDS = 30;
export const PARAMS_CQ_ENTRIES = 1;
export const PARAMS_FLAGS = 2;
export const PARAMS_SQ_OFFSETS = 10;
export const PARAMS_CQ_OFFSETS = 20;
/** Of the memory that we bring along: the entries', and the rings'. */
export const PARAMS_SQ_ADDRESS = 18;
export const PARAMS_CQ_ADDRESS = 28;

/** Where the submission entries are mapped from; the rest lies at 0. */
export const SQES_OFFSET = 0x1000_0000;

export const REGISTER_EVENTFD = 4;
export const REGISTER_BUFFERS = 22;

export const OP_POLL_ADD = 6;
export const OP_TIMEOUT = 11;
export const OP_ACCEPT = 13;
export const OP_ASYNC_CANCEL = 14;
export const OP_SEND = 26;
export const OP_RECV = 27;

/** Words of struct io_uring_sqe. */
export const SQE_WORDS = 16;
export const SQE_CODE = 0;
export const SQE_DESCRIPTOR = 1;
export const SQE_ADDRESS = 4;
export const SQE_LENGTH = 6;
export const SQE_OPERATION_FLAGS = 7;
export const SQE_USER_DATA = 8;

export const SQE_BUFFER_SELECT = 1 << 5;
export const SQE_NO_SUCCESS = 1 << 6;
export const RECV_MULTISHOT = 1 << 1;
export const ACCEPT_MULTISHOT = 1;
/** Operation flag of a timeout: it goes on, and completes each time. Since Linux 6.4. */
export const TIMEOUT_MULTISHOT = 64;
/** SOCK_NONBLOCK, SOCK_CLOEXEC. */
export const ACCEPT_FLAGS = 0x800 | 0x80000;
/** MSG_DONTWAIT, MSG_WAITALL: all of it now, or say how much; MSG_NOSIGNAL. */
export const SEND_FLAGS = 0x40 | 0x100 | 0x4000;

export const POLLIN = 1;

export const CQE_WORDS = 4;
export const CQE_MORE = 1 << 1;
export const CQE_BUFFER_SHIFT = 16;

/** The kernel keeps completions for which there was no room; and it has some to make. */
export const SQ_CQ_OVERFLOW = 1 << 1;
export const SQ_TASKRUN = 1 << 2;
export const CQ_EVENT_DISABLED = 1;

/** Words of struct io_uring_buf; the tail of a ring of them lies in the padding of the first. */
export const BUFFER_WORDS = 4;
export const BUFFER_ID_HALF = 6;
export const BUFFER_TAIL_HALF = 7;

/** A completion of a receive that found no buffer; it has to be begun anew. */
export const NO_BUFFER = -105;
