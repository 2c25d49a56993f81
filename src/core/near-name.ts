/** In what a name differs from one that somebody has: a hint for whoever reads that nobody is called so. */

export type Nearness = "leading-zeros" | "case" | "domain" | "spelling";

/** The sentence is for people who may not see the other name. */
export const NEARNESS: Readonly<Record<Nearness, string>> = {
  "leading-zeros":
    "Somebody's name differs from it in zeros at its beginning alone, as spreadsheets lose them: export that column as text.",
  case: "Somebody's name differs from it in capitals and small letters alone: write it as the pool has it.",
  domain: "Somebody's address has the same name at another domain: look which of them is right.",
  spelling: "Somebody's name is spelled nearly so, with other accents or spaces: write it as the pool has it.",
};

const ADDRESS = /^([^@\s]+)@[^@\s]+$/;
const ACCENTS = /[\p{M}\p{DI}\s]/gu;

/** The same for names of which one may be meant by the other. */
export function nearKey(name: string): string {
  const bare = plain(name);
  const [, local] = ADDRESS.exec(bare) ?? [];
  return local === undefined ? withoutZeros(bare) : `${local}@`;
}

/** Undefined where the names are the same, or have nothing in common. */
export function nearness(name: string, other: string): Nearness | undefined {
  if (name === other || nearKey(name) !== nearKey(other)) return undefined;
  if (name.toLowerCase() === other.toLowerCase()) return "case";
  const [one, two] = [plain(name), plain(other)];
  if (one === two) return "spelling";
  return one.includes("@") ? "domain" : "leading-zeros";
}

function plain(name: string): string {
  const letters = /^[!-~]*$/.test(name) ? name : name.normalize("NFKD").replace(ACCENTS, "");
  return letters.toLowerCase();
}

function withoutZeros(text: string): string {
  return text.replace(/^0+(?=\d)/, "");
}
