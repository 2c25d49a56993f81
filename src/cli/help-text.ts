/** The text of `--help` at the width of the terminal. It is set for 80 columns. */
import { Help } from "commander";
import { indent, wrap } from "../views/table.ts";

const SET_FOR = 80;
const HEADING = /^[A-Z]\w+:$/;
/** What a shell takes together is not torn. */
const WORDS = /(?:"[^"]*"|'[^']*'|\$\([^)]*\)|\S)+/g;
const CONTINUED = " \\";

/** Fewer columns than this beside the terms are too few for what is said of them. */
const BESIDE = 32;

/** Says what a term means beside it, or below where that is too narrow. */
export const formatItem: Help["formatItem"] = (term, termWidth, description, helper) => {
  const { helpWidth = SET_FOR } = helper;
  if (description === "" || helpWidth >= SET_FOR || helpWidth - termWidth >= BESIDE)
    return Help.prototype.formatItem.call(helper, term, termWidth, description, helper);
  return `  ${term}\n${indent("      ", description, helpWidth)}`.trimEnd();
};

/** Breaks prose between words. Commands of examples go on in the next line, so that they can be copied all the same. */
export function fitHelp(text: string, width: number): string {
  const isNarrow = width < SET_FOR;
  const lines: string[] = [];
  let prose: string[] = [];
  let isExample = false;
  for (const line of [...text.split("\n"), ""]) {
    if (isNarrow && /^\S/.test(line) && !HEADING.test(line)) {
      prose.push(line);
      continue;
    }
    if (prose.length > 0) lines.push(...wrap(prose.join(" "), width));
    prose = [];
    if (HEADING.test(line)) isExample = line === "Examples:";
    if (isExample && line.startsWith(" ")) lines.push(...fitCommand(line, width));
    else lines.push(...(line.length > width && /^\S/.test(line) ? wrap(line, width) : [line]));
  }
  return lines.slice(0, -1).join("\n");
}

function fitCommand(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const lines: string[] = [];
  let [current = ""] = /^ */.exec(line) ?? [];
  for (const word of line.match(WORDS) ?? []) {
    const isFirst = current.trim() === "";
    if (!isFirst && word !== "\\" && current.length + 1 + word.length + CONTINUED.length > width) {
      lines.push(current + CONTINUED);
      current = `      ${word}`;
    } else current += isFirst ? word : ` ${word}`;
  }
  return [...lines, current];
}
