/** What may be shown of a person's data: masked, and without what could move a terminal's cursor. */
import { visible } from "./text.ts";
import { contactOf, type UnitValue } from "./unit.ts";

/** A value as it may be shown. */
export function valueText(value: UnitValue, show: boolean): string {
  switch (value.kind) {
    case "text":
      return show ? printable(value.text) : mask(value.text);
    case "clear":
      return "(cleared)";
    case "as-is":
      return value.verified ? "(verified, as it is)" : "(not verified, as it is)";
  }
}

/** What the pool has of an attribute, as it may be shown: masked, unless it is a flag, which identifies nobody. */
export function shownValue(name: string, text: string): string {
  return contactOf(name) === undefined ? mask(text) : printable(text);
}

const SHORTEST_SHOWN = 4;

/** `j***@e***.com` for an address, `J***` for other text, `***` where one letter would be much of it. */
export function mask(text: string): string {
  if (Array.from(text).length < SHORTEST_SHOWN) return "***";
  const [, name, host, end] = /^([^@\s]+)@([^@\s]+?)(\.[^.@\s]+)?$/.exec(text) ?? [];
  if (name !== undefined && host !== undefined) return `${first(name)}***@${first(host)}***${printable(end ?? "")}`;
  return `${first(text)}***`;
}

function first(text: string): string {
  return printable(Array.from(text)[0] ?? "");
}

/** Text from a feed cannot move the terminal's cursor or colour it, and what nobody would see of it is named. */
export function printable(text: string): string {
  return visible(text);
}
