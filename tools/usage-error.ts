// The error of a command that was used in a way it cannot work: printed as one line, without a stack.

export class UsageError extends Error {}
