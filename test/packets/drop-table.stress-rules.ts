// What main and the threads of drop-table.stress.test.ts agree on.

/** How often one user may win: every third drop has a limit. */
export function limitOf(dropId: number): number {
  return dropId % 3 === 0 ? 2 : 0;
}
