/**
 * How a column is named that lies deep in JSON: keys with dots between them, indexes of lists in brackets:
 * `name.first`, `emails[0].value`, `fields.Employee #.value`. A key that is blank, or holds a dot, a bracket or a
 * quote, is quoted as JSON quotes a text: `"first.name".value`. A key at the top is called as it is, quoted or not.
 */

/** A key of an object, or an index of a list. */
export type Step = string | number;

/** In the place of an index: every element, which is how a column of a list is shown (`emails[*].value`). */
export const EACH = -1;

/** Deeper than this is no column: nobody means it, and what walks there needs no more stack. */
export const MAX_STEPS = 32;

const STEP = /(?:^|\.)(?:("(?:[^"\\]|\\.)*")|([^.[\]"]+))|\[(\d{1,9}|\*)\]/g;

/** The way that a column's name says; undefined where it says none. */
export function columnPath(column: string): readonly Step[] | undefined {
  const steps: Step[] = [];
  let at = 0;
  for (const { index, 0: matched, 1: quoted, 2: plain, 3: place } of column.matchAll(STEP)) {
    if (index !== at || (at === 0 && matched.startsWith(".")) || steps.length === MAX_STEPS) return undefined;
    at += matched.length;
    const step = plain ?? (quoted === undefined ? indexOf(place) : unquoted(quoted));
    if (step === undefined) return undefined;
    steps.push(step);
  }
  return at === column.length && typeof steps[0] === "string" ? steps : undefined;
}

/** The name of the column at the end of a way. */
export function columnName(path: readonly Step[]): string {
  const [top, ...deeper] = path;
  if (deeper.length === 0) return String(top);
  return path
    .map((step, index) => {
      if (typeof step === "number") return `[${step === EACH ? "*" : step}]`;
      const key = step === "" || /[.[\]"]/.test(step) ? JSON.stringify(step) : step;
      return index === 0 ? key : `.${key}`;
    })
    .join("");
}

/** One step into a value of JSON. */
export function valueIn(holder: unknown, step: Step): unknown {
  return typeof holder === "object" && holder !== null ? Reflect.get(holder, step) : undefined;
}

function indexOf(place: string | undefined): number {
  return place === "*" ? EACH : Number(place);
}

function unquoted(quoted: string): string | undefined {
  try {
    return String(JSON.parse(quoted));
  } catch {
    // A control character, or an escape that JSON does not have: no name.
    return undefined;
  }
}
