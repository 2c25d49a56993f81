import assert from "node:assert/strict";

/** A call of the log: what it says, and the names of what it says it with. */
export interface LogCall {
  readonly message: string;
  readonly level: string;
  readonly fields: readonly string[];
}

/** The calls of the log in a source: the keys of the object that comes first, and each message that may come last. */
export function logCalls(file: string, text: string): LogCall[] {
  const calls: LogCall[] = [];
  for (const { 0: head, 1: level = "", index } of text.matchAll(/\b(?:log|createLog\([^()]*\))\.(\w+)\(/g)) {
    if (!["fatal", "error", "warn", "info", "debug", "trace"].includes(level)) continue;
    const [object = "", ...rest] = argumentsAt(text, index + head.length);
    const messages = Array.from(rest.join(",").matchAll(/"([^"]+)"/g), ([, message = ""]) => message);
    assert.ok(messages.length > 0, `a log call of ${file} ends with its message`);
    const inner = object.trim().replace(/^\{|\}$/g, "");
    const fields = argumentsAt(`${inner})`, 0)
      .map((field) => /^\s*(\w+)/.exec(field)?.[1])
      .filter((field) => field !== undefined);
    for (const message of messages) calls.push({ message, level, fields });
  }
  return calls;
}

/** The arguments of a call from behind its bracket, as text, apart by the commas that are in no other bracket. */
function argumentsAt(text: string, from: number): string[] {
  const found = [""];
  let depth = 0;
  for (const char of text.slice(from)) {
    if (depth === 0 && char === ")") break;
    if ("([{".includes(char)) depth += 1;
    if (")]}".includes(char)) depth -= 1;
    if (depth === 0 && char === ",") found.push("");
    else found.push(`${found.pop() ?? ""}${char}`);
  }
  return found.filter((argument) => argument.trim() !== "");
}
