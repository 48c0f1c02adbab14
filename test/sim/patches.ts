// Changes to methods of real parts, for the time of a simulation: where threads may be interrupted, and rules to break.

/** Takes a change back. */
export type Undo = () => void;

/** Puts another method in place of a class's own. @param make gets the real one, which takes `this` as usual */
export function replaceMethod<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (real: T[K]) => T[K],
): Undo {
  const real = prototype[name];
  prototype[name] = make(real);
  return () => {
    prototype[name] = real;
  };
}

/** Takes several changes back, the last one first. */
export function undoAll(undos: readonly Undo[]): void {
  for (const undo of undos.toReversed()) undo();
}
