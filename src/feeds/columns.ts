/** The columns of a feed: those of a CSV's header, or every one that a record of JSON has had. */
import { columnName, columnPath, EACH, MAX_STEPS, type Step } from "./column-path.ts";
import type { FieldsRecord } from "./record.ts";

export interface Columns {
  /** Those at the top that hold text or null, under their very names, in the order they were met. */
  readonly names: readonly string[];
  /** Whether a record may have something in that column. */
  has(column: string): boolean;
  /**
   * The names of those that are not known. `emails[*].type` is a column of all elements of a list; `notes.*` stands for
   * what is in an object whose keys are too many or too deep to be columns.
   */
  unknown(known: Known): readonly string[];
}

/** Columns that are mapped or ignored. */
export interface Known {
  readonly names: ReadonlySet<string>;
  readonly top: KnownPlace;
}

interface KnownPlace {
  named: boolean;
  /** Everything beneath it is known, too. */
  ignored: boolean;
  readonly below: Map<Step, KnownPlace>;
}

/**
 * To map an element of a list is to choose among its elements, so it makes the same column of all of them known. What is
 * ignored makes all known that lies beneath it.
 */
export function knownColumns(mapped: Iterable<string>, ignored: Iterable<string>): Known {
  const top: KnownPlace = { named: false, ignored: false, below: new Map() };
  const placeAt = (path: readonly Step[]): KnownPlace => {
    let place = top;
    for (const step of path) {
      const key = typeof step === "number" ? EACH : step;
      const next = place.below.get(key) ?? { named: false, ignored: false, below: new Map<Step, KnownPlace>() };
      place.below.set(key, next);
      place = next;
    }
    return place;
  };
  const names = new Set<string>();
  for (const name of mapped) {
    names.add(name);
    for (const path of [[name], columnPath(name) ?? [name]]) placeAt(path).named = true;
  }
  for (const name of ignored) {
    names.add(name);
    for (const path of [[name], columnPath(name.replace(/\.\*$/, "")) ?? [name]]) placeAt(path).ignored = true;
  }
  return { names, top };
}

const NOTHING_KNOWN = knownColumns([], []);

/** The columns that a header names. */
export function headerColumns(header: Iterable<string>): Columns {
  const present = new Set(header);
  return {
    names: [...present],
    has: (column) => present.has(column),
    unknown: (known) => [...present].filter((name) => !known.names.has(name)),
  };
}

/** Every name that a column may be called by, for a hint. */
export function allNames(columns: Columns): readonly string[] {
  return columns.unknown(NOTHING_KNOWN);
}

export interface ColumnCollector extends Columns {
  add(record: FieldsRecord): void;
  /** How many names were met, and about how many characters they have together. */
  readonly size: Size;
}

interface Size {
  names: number;
  length: number;
}

/** What was met at one place of the records. All elements of a list are one place. */
interface Place {
  hasText: boolean;
  hasNull: boolean;
  /** There is more below than is listed. */
  open: boolean;
  readonly below: Map<Step, Place>;
  /** Of its name, about. */
  readonly length: number;
}

interface TopPlace extends Place {
  /** All that is below it. */
  readonly size: Size;
}

/** Below one column at the top. More names, or longer ones together, are data: they are listed as one `.*`. */
const MAX_BELOW: Size = { names: 1000, length: 100_000 };

/** Gathers the columns of JSON from its records. */
export function createColumnCollector(): ColumnCollector {
  const top = new Map<string, TopPlace>();
  const size: Size = { names: 0, length: 0 };

  function topPlace(name: string): TopPlace {
    let place = top.get(name);
    if (place === undefined) {
      place = { ...newPlace(name.length), size: { names: 0, length: 0 } };
      top.set(name, place);
      grow(size, place);
    }
    return place;
  }

  function addNested(place: TopPlace, value: object): void {
    if (place.open) return;
    const before = { ...place.size };
    descend(place, value, 1, place.size);
    if (place.size.names > MAX_BELOW.names || place.size.length > MAX_BELOW.length) {
      place.open = true;
      place.below.clear();
      place.size.names = 0;
      place.size.length = 0;
    }
    size.names += place.size.names - before.names;
    size.length += place.size.length - before.length;
  }

  return {
    size,
    get names() {
      return [...top].filter(([, place]) => isColumn(place)).map(([name]) => name);
    },
    has(column) {
      const literal = top.get(column);
      if (literal !== undefined && isColumn(literal)) return true;
      const path = columnPath(column);
      return path !== undefined && leadsTo(path, top);
    },
    unknown(known) {
      const found: string[] = [];
      for (const [name, place] of top) addUnknown(found, place, known.top.below.get(name), [name]);
      return found;
    },
    add({ fields, nested = [] }) {
      for (const [name, text] of fields) mark(topPlace(name), text);
      for (const [name, value] of nested) addNested(topPlace(name), value);
    },
  };
}

function newPlace(length: number): Place {
  return { hasText: false, hasNull: false, open: false, below: new Map(), length };
}

function grow(size: Size, { length }: Place): void {
  size.names++;
  size.length += length;
}

function mark(place: Place, value: unknown): void {
  if (value === null) place.hasNull = true;
  else if (typeof value !== "object") place.hasText = true;
}

function descend(place: Place, holder: object, depth: number, size: Size): void {
  const isList = Array.isArray(holder);
  const entries: readonly [string, unknown][] = Object.entries(holder);
  for (const [key, value] of entries) {
    if (depth === MAX_STEPS) {
      place.open = true;
      return;
    }
    const step = isList ? EACH : key;
    let next = place.below.get(step);
    if (next === undefined) {
      next = newPlace(place.length + key.length + 1);
      place.below.set(step, next);
      grow(size, next);
    }
    mark(next, value);
    if (typeof value === "object" && value !== null) descend(next, value, depth + 1, size);
  }
}

/** A null in the place of an object is no column beside those of the object. */
function isColumn({ hasText, hasNull, open, below }: Place): boolean {
  return hasText || (hasNull && !open && below.size === 0);
}

function leadsTo(path: readonly Step[], top: ReadonlyMap<Step, Place>): boolean {
  let below = top;
  for (const [index, step] of path.entries()) {
    const place = below.get(typeof step === "number" ? EACH : step);
    if (place === undefined) return false;
    const isLast = index === path.length - 1;
    if (isLast ? isColumn(place) : place.open || (place.hasNull && place.below.size === 0)) return true;
    ({ below } = place);
  }
  return false;
}

function addUnknown(found: string[], place: Place, known: KnownPlace | undefined, path: readonly Step[]): void {
  if (known?.ignored) return;
  const isNullOfKnown = !place.hasText && known !== undefined && known.below.size > 0;
  if (isColumn(place) && !known?.named && !isNullOfKnown) found.push(columnName(path));
  if (place.open) found.push(`${columnName(path)}.*`);
  for (const [step, next] of place.below) addUnknown(found, next, known?.below.get(step), [...path, step]);
}
