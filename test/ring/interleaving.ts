// Runs real code in every interleaving of its atomic steps, as a small explicit-state check on one thread.
//
// A "thread" is a function. It is run with Atomics replaced: the steps of its past get their results of then, and its
// next step throws it out again, unperformed. So a thread's state is the list of its results, any thread can be taken
// one step further from any state, and what is explored is the code in lib/ring itself and no copy of it. Memory is the
// cells that the check names; an atomic step on any other cell is an error. Plain reads and writes are not modelled.

import assert from 'node:assert/strict';

/** A word of shared memory. */
export interface Cell {
  buffer: SharedArrayBuffer;
  word: number;
}

/** Opens what the thread uses (with real atomics, in the memory's first state) and returns what it then does. */
export type Thread = () => () => void;

type Step =
  | { kind: 'load'; cell: number }
  | { kind: 'store' | 'add'; cell: number; value: number }
  | { kind: 'compareExchange'; cell: number; expected: number; value: number }
  | { kind: 'wait'; cell: number; expected: number }
  | { kind: 'notify'; cell: number; count: number };

type Result = number | 'ok' | 'not-equal' | 'timed-out';

/** One state of the whole: what `explore` hands to the check. */
export interface Snapshot {
  /** The cells' values, in the order in which they were named. */
  memory: readonly number[];
  /** Each thread's next step; null once it has returned. */
  next: readonly (Step | null)[];
  /** Which threads sleep in Atomics.wait. */
  asleep: readonly boolean[];
}

/** A thread's past: the results of its steps so far. Equal pasts of a thread are one object with one id. */
interface Past {
  id: number;
  results: readonly Result[];
  /** The past after one more result. */
  after: Map<Result, Past>;
  /** The thread's next step, once it has been asked for. */
  next: Step | null | undefined;
}

interface State {
  memory: number[];
  pasts: Past[];
  asleep: boolean[];
  timeoutsLeft: number;
}

export interface Exploration {
  states: number;
  /** States in which some thread slept. */
  sleeping: number;
  /** The first state that the check refused, and the way to it; undefined if it refused none. */
  refused: { snapshot: Snapshot; path: string[] } | undefined;
}

/**
 * Visits every state that the threads can reach.
 * @param isBad refuses a state; the exploration ends there
 * @param timeouts how many sleeps in all may end by their timeout
 */
export function explore(
  cells: readonly Cell[],
  threads: readonly Thread[],
  isBad: (snapshot: Snapshot) => boolean,
  timeouts = 0,
): Exploration {
  const first: State = {
    memory: cells.map(({ buffer, word }) => new Int32Array(buffer)[word]),
    pasts: threads.map(() => createPast([])),
    asleep: threads.map(() => false),
    timeoutsLeft: timeouts,
  };
  /** The state before each one found, by their keys: the way back. */
  const reachedFrom = new Map<string, { key: string; how: string } | undefined>([[keyOf(first), undefined]]);
  const stack = [first];
  let sleeping = 0;
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    const key = keyOf(state);
    const next = threads.map((thread, i) => {
      const past = state.pasts[i];
      if (past.next === undefined) past.next = nextStep(cells, thread, past.results);
      return past.next;
    });
    if (state.asleep.includes(true)) sleeping++;
    const snapshot: Snapshot = { memory: state.memory, next, asleep: state.asleep };
    if (isBad(snapshot)) {
      return { states: reachedFrom.size, sleeping, refused: { snapshot, path: pathTo(key, reachedFrom) } };
    }
    for (let i = 0; i < threads.length; i++) {
      const step = next[i];
      if (step === null) continue;
      const after = state.asleep[i] ? timeOut(state, i) : perform(state, i, step);
      if (after === undefined) continue;
      const afterKey = keyOf(after);
      if (reachedFrom.has(afterKey)) continue;
      const how = `thread ${i}: ${state.asleep[i] ? 'timed out' : Object.values(step).join(' ')}`;
      reachedFrom.set(afterKey, { key, how });
      stack.push(after);
    }
  }
  return { states: reachedFrom.size, sleeping, refused: undefined };
}

/** The step that a thread with this past would do next; null if it returns first. */
function nextStep(cells: readonly Cell[], thread: Thread, history: readonly Result[]): Step | null {
  const body = thread();
  const real = { ...atomicsOf() };
  const stop = new Error('the next step');
  let done = 0;
  let pending: Step | null = null;
  const step = (next: Step) => {
    if (done < history.length) return history[done++];
    pending = next;
    throw stop;
  };
  const cellOf = (words: Int32Array, word: number) => {
    const cell = cells.findIndex((cell) => cell.buffer === words.buffer && cell.word === word);
    assert(cell >= 0, `no cell of this check: word ${word}`);
    return cell;
  };
  Object.assign(Atomics, {
    load: (words: Int32Array, word: number) => step({ kind: 'load', cell: cellOf(words, word) }),
    store: (words: Int32Array, word: number, value: number) =>
      step({ kind: 'store', cell: cellOf(words, word), value: value | 0 }),
    add: (words: Int32Array, word: number, value: number) => step({ kind: 'add', cell: cellOf(words, word), value }),
    compareExchange: (words: Int32Array, word: number, expected: number, value: number) =>
      step({ kind: 'compareExchange', cell: cellOf(words, word), expected, value }),
    wait: (words: Int32Array, word: number, expected: number) =>
      step({ kind: 'wait', cell: cellOf(words, word), expected }),
    notify: (words: Int32Array, word: number, count = Number.POSITIVE_INFINITY) =>
      step({ kind: 'notify', cell: cellOf(words, word), count }),
  });
  try {
    body();
    assert.equal(done, history.length, 'a thread with the same past does the same steps');
  } catch (error) {
    if (error !== stop) throw error;
  } finally {
    Object.assign(Atomics, real);
  }
  return pending;
}

function atomicsOf() {
  const { load, store, add, compareExchange, wait, notify } = Atomics;
  return { load, store, add, compareExchange, wait, notify };
}

/** The state after a thread that is awake did its step. */
function perform(state: State, i: number, step: Step): State {
  const after = copyOf(state);
  const finish = (result: Result) => remember(after, i, result);
  const value = state.memory[step.cell];
  switch (step.kind) {
    case 'load':
      finish(value);
      break;
    case 'store':
      after.memory[step.cell] = step.value;
      finish(step.value);
      break;
    case 'add':
      after.memory[step.cell] = (value + step.value) | 0;
      finish(value);
      break;
    case 'compareExchange':
      if (value === step.expected) after.memory[step.cell] = step.value;
      finish(value);
      break;
    case 'wait':
      // Looking at the cell and falling asleep are one step: that is what Atomics.wait promises.
      if (value === step.expected) after.asleep[i] = true;
      else finish('not-equal');
      break;
    case 'notify':
      finish(wakeSleeper(after));
      break;
  }
  return after;
}

/** Wakes the thread that sleeps; the checks have at most one sleeper. */
function wakeSleeper(state: State): number {
  const sleepers = state.asleep.flatMap((asleep, i) => (asleep ? [i] : []));
  assert(sleepers.length <= 1, 'one sleeper at most');
  for (const i of sleepers) {
    state.asleep[i] = false;
    remember(state, i, 'ok');
  }
  return sleepers.length;
}

function timeOut(state: State, i: number): State | undefined {
  if (state.timeoutsLeft === 0) return undefined;
  const after = copyOf(state);
  after.timeoutsLeft--;
  after.asleep[i] = false;
  remember(after, i, 'timed-out');
  return after;
}

function copyOf(state: State): State {
  return {
    memory: state.memory.slice(),
    pasts: state.pasts.slice(),
    asleep: state.asleep.slice(),
    timeoutsLeft: state.timeoutsLeft,
  };
}

let pastsCreated = 0;

function createPast(results: readonly Result[]): Past {
  return { id: pastsCreated++, results, after: new Map(), next: undefined };
}

function remember(state: State, i: number, result: Result): void {
  const past = state.pasts[i];
  let after = past.after.get(result);
  if (after === undefined) {
    after = createPast([...past.results, result]);
    past.after.set(result, after);
  }
  state.pasts[i] = after;
}

function keyOf(state: State): string {
  let key = `${state.timeoutsLeft}`;
  for (const value of state.memory) key += `,${value}`;
  for (const past of state.pasts) key += `,${past.id}`;
  for (const asleep of state.asleep) key += asleep ? 'z' : 'a';
  return key;
}

function pathTo(key: string, reachedFrom: ReadonlyMap<string, { key: string; how: string } | undefined>): string[] {
  const path: string[] = [];
  for (let at = reachedFrom.get(key); at !== undefined; at = reachedFrom.get(at.key)) path.unshift(at.how);
  return path;
}
