/** A sentence for people that may name commands of poolsync. The commands stay data until somebody shows them. */

/** A command to run next. A terminal shows it as one would type it there, a page may show it as a link. */
export interface NextStep {
  /** Words of the command line, such as `["runs", "show", "r-1"]`. */
  readonly words: readonly string[];
}

export type Sentence = readonly (string | NextStep)[];

/** `nextStep("runs", "show", id)` */
export function nextStep(...words: readonly string[]): NextStep {
  return { words };
}

/** A template tag: what is put in is text, or a next step. */
export function sentence(texts: TemplateStringsArray, ...values: readonly (string | number | NextStep)[]): Sentence {
  return texts.flatMap((text, at) => {
    const value = values[at];
    return value === undefined ? [text] : [text, typeof value === "number" ? String(value) : value];
  });
}

/** The text of a sentence, with `show` for what stands for a command. */
export function textOf(said: Sentence | string, show: (step: NextStep) => string = inBackticks): string {
  if (typeof said === "string") return said;
  return said.map((part) => (typeof part === "string" ? part : show(part))).join("");
}

/** What an error says, with its next steps as data where it has any. */
export function sentenceOf(error: Error): Sentence {
  return "sentence" in error && isSentence(error.sentence) ? error.sentence : [error.message];
}

function isSentence(value: unknown): value is Sentence {
  return Array.isArray(value);
}

function inBackticks({ words }: NextStep): string {
  return `\`poolsync ${words.join(" ")}\``;
}
