// A small explicit-state model checker: visits every state that a model can reach, breadth first, so that what it finds wrong it
// shows by the fewest steps there are.
//
// A state is a row of Int32 words: program counters of the actors, their private words, and the shared ones. All states found
// lie in one array, and are told apart by their words alone: no hash is trusted.

/** What is checked. */
export interface Model {
  /** The words of the first state; every state has as many. */
  readonly first: Int32Array;
  /** Who takes steps. */
  readonly actors: readonly string[];
  /**
   * Takes the step number `choice` (0, 1, ...) that an actor has in a state, on the state itself. Returns what it did, or
   * undefined if the actor has no such step. Sets `fault` if the step breaks a property.
   */
  step(state: Int32Array, actor: number, choice: number): string | undefined;
  /** What is wrong with the last step, or with the state behind it. */
  fault: string | undefined;
  /** Whether everything has come to its good end. */
  isDone(state: Int32Array): boolean;
}

export interface Checked {
  states: number;
  steps: number;
  /** How many of the states are good ends. */
  ends: number;
  /** What is wrong, and the shortest way to it; undefined if nothing is. */
  wrong: { what: string; path: string[] } | undefined;
}

/** More than any model here has: beyond it the model is too large, and the check says so. */
const MOST_STATES = 6_000_000;

const FIRST_CAPACITY = 1 << 14;

/**
 * Visits every state. Beside the model's own properties it checks progress: from every state a good end can still be reached.
 * @throws {Error} if there are more than MOST_STATES
 */
export function checkModel(model: Model): Checked {
  const states = new StateTable(model.first.length);
  const edges = new IntList();
  states.add(model.first, -1);
  const state = new Int32Array(model.first.length);
  let steps = 0;
  for (let at = 0; at < states.count; at++) {
    for (let actor = 0; actor < model.actors.length; actor++) {
      for (let choice = 0; ; choice++) {
        states.copyTo(state, at);
        model.fault = undefined;
        const did = model.step(state, actor, choice);
        if (did === undefined) break;
        steps++;
        if (model.fault !== undefined) {
          const path = [...pathTo(model, states, at), `${model.actors[actor]}: ${did}`];
          return { states: states.count, steps, ends: 0, wrong: { what: model.fault, path } };
        }
        const next = states.add(state, at);
        edges.push(at);
        edges.push(next);
      }
    }
    if (states.count > MOST_STATES) throw new Error(`more than ${MOST_STATES} states`);
  }
  return judgeProgress(model, states, edges, steps);
}

/** Looks for the first state from which no good end can be reached. */
function judgeProgress(model: Model, states: StateTable, edges: IntList, steps: number): Checked {
  const { count } = states;
  const { words: ends, length } = edges;
  // Who leads to a state: lists in one array, behind one another.
  const starts = new Int32Array(count + 1);
  for (let i = 1; i < length; i += 2) starts[ends[i] + 1]++;
  for (let i = 0; i < count; i++) starts[i + 1] += starts[i];
  const places = starts.slice();
  const before = new Int32Array(length / 2);
  for (let i = 0; i < length; i += 2) before[places[ends[i + 1]]++] = ends[i];
  const isGood = new Uint8Array(count);
  const open = new IntList();
  const state = new Int32Array(model.first.length);
  for (let at = 0; at < count; at++) {
    states.copyTo(state, at);
    if (!model.isDone(state)) continue;
    isGood[at] = 1;
    open.push(at);
  }
  const good = open.length;
  for (let i = 0; i < open.length; i++) {
    const at = open.words[i];
    for (let edge = starts[at]; edge < starts[at + 1]; edge++) {
      if (isGood[before[edge]] === 1) continue;
      isGood[before[edge]] = 1;
      open.push(before[edge]);
    }
  }
  const stuck = isGood.indexOf(0);
  if (stuck < 0) return { states: count, steps, ends: good, wrong: undefined };
  const what = 'from here nothing leads to the end';
  return { states: count, steps, ends: good, wrong: { what, path: pathTo(model, states, stuck) } };
}

/** The steps that lead to a state. */
function pathTo(model: Model, states: StateTable, end: number): string[] {
  const path: string[] = [];
  for (let at = end; states.parents.words[at] >= 0; at = states.parents.words[at]) {
    path.unshift(nameStep(model, states, states.parents.words[at], at));
  }
  return path;
}

/** Which step leads from one state to another: it is taken once more. */
function nameStep(model: Model, states: StateTable, from: number, to: number): string {
  const state = new Int32Array(model.first.length);
  const wanted = new Int32Array(model.first.length);
  states.copyTo(wanted, to);
  for (let actor = 0; actor < model.actors.length; actor++) {
    for (let choice = 0; ; choice++) {
      states.copyTo(state, from);
      const did = model.step(state, actor, choice);
      if (did === undefined) break;
      if (state.every((word, i) => word === wanted[i])) return `${model.actors[actor]}: ${did}`;
    }
  }
  throw new Error('a state has no step that leads to it: the model remembers something outside its state');
}

/** Numbers that grow by the million. */
class IntList {
  words = new Int32Array(FIRST_CAPACITY);
  length = 0;

  push(word: number): void {
    if (this.length === this.words.length) this.words = grow(this.words);
    this.words[this.length++] = word;
  }
}

/** All states found, by number, and a hash table that finds them again. */
class StateTable {
  count = 0;
  /** The state that each was found from; -1 for the first. */
  readonly parents = new IntList();
  readonly #width: number;
  #words: Int32Array<ArrayBuffer>;
  /** Numbers of states plus one, by hash. */
  #places = new Int32Array(4 * FIRST_CAPACITY);

  constructor(width: number) {
    this.#width = width;
    this.#words = new Int32Array(width * FIRST_CAPACITY);
  }

  copyTo(state: Int32Array, at: number): void {
    const from = at * this.#width;
    for (let i = 0; i < this.#width; i++) state[i] = this.#words[from + i];
  }

  /** The number of a state, which is a new one if it was not here. */
  add(state: Int32Array, parent: number): number {
    if (2 * (this.count + 1) > this.#places.length) this.#rehash();
    const place = this.#find(state, 0);
    const known = this.#places[place] - 1;
    if (known >= 0) return known;
    if ((this.count + 1) * this.#width > this.#words.length) this.#words = grow(this.#words);
    this.#words.set(state, this.count * this.#width);
    this.parents.push(parent);
    this.#places[place] = ++this.count;
    return this.count - 1;
  }

  /** The place of the state whose words begin at `from` of `words`, or the free one where it belongs. */
  #find(words: Int32Array, from: number): number {
    const mask = this.#places.length - 1;
    let hash = 0x811c9dc5 | 0;
    for (let i = 0; i < this.#width; i++) hash = Math.imul(hash ^ (words[from + i] + (hash >>> 13)), 0x5bd1e995);
    for (let place = (hash ^ (hash >>> 15)) & mask; ; place = (place + 1) & mask) {
      const known = this.#places[place] - 1;
      if (known < 0 || this.#isSame(known, words, from)) return place;
    }
  }

  #isSame(known: number, words: Int32Array, from: number): boolean {
    const at = known * this.#width;
    for (let i = 0; i < this.#width; i++) if (this.#words[at + i] !== words[from + i]) return false;
    return true;
  }

  #rehash(): void {
    this.#places = new Int32Array(2 * this.#places.length);
    for (let at = 0; at < this.count; at++) this.#places[this.#find(this.#words, at * this.#width)] = at + 1;
  }
}

function grow(words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(2 * words.length);
  grown.set(words);
  return grown;
}
