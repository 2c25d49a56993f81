/** A longer one is cut, so that what has no ends does not fill the memory: no plan has one, whoever is protected in it. */
const MAX_LENGTH = 64 * 1024 * 1024;

/**
 * The lines of a text that comes in pieces. Nothing but a line feed ends one: JSON leaves U+2028 as it is, which other
 * readers take for an end.
 */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of pieces) {
    const [first = "", ...others] = piece.split("\n");
    rest += first;
    for (const next of others) {
      yield rest;
      rest = next;
    }
    if (rest.length > MAX_LENGTH) {
      yield rest;
      rest = "";
    }
  }
  if (rest !== "") yield rest;
}
