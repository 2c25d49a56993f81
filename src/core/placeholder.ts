/** Words that stand where a value should be: what systems export of a person of whom they know nothing. */

const WORDS: ReadonlySet<string> = new Set(
  `unassigned, not assigned, unallocated, tbd, tba, tbc, to be determined, to be defined, to be confirmed, n/a, na,
  not available, not applicable, not set, not specified, not defined, unspecified, undefined, unknown, none, null,
  (null), <null>, nil, nan, blank, (blank), empty, (empty), no value, missing, placeholder, dummy, lorem ipsum, todo,
  xxx, [object object], \\n, #n/a, #ref!, #value!, #name?, #null!, #num!, #div/0!`
    .split(",")
    .map((word) => word.trim()),
);
/** Nothing but marks, a date without a day, or a number of zeros: `-`, `???`, `0000-00-00`, `00000`. */
const NOTHING = /^(?:[-–—_.?*#/\\ ]+|0{4}[-/.]00[-/.]00(?:[T ][0:.Z]+)?|00[-/.]00[-/.]0{4}|\+?0{5,})$/u;

/** The placeholder that the text is, as it is shown; undefined where it says something. */
export function placeholderIn(text: string): string | undefined {
  const trimmed = text.trim();
  const word = trimmed.toLowerCase();
  // `N.A.` and `T.B.D.` say the same as without their dots.
  const isOne = WORDS.has(word) || WORDS.has(word.replaceAll(".", "")) || NOTHING.test(trimmed);
  return isOne ? trimmed.slice(0, 20) : undefined;
}
