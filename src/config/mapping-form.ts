/** How a feed's records become changes, as `poolsync.yaml` says it: of its file, and of its events. */
import { z } from "zod";
import { defined } from "../core/defined.ts";
import { IDENTIFIERS } from "../core/identifier.ts";
import { contactOf, isContact, VERIFIED } from "../core/unit.ts";
import { entriesOf, form, map, scalar, text, type Entries } from "./config-form.ts";
import type { AttributeMapping } from "../feeds/mapping.ts";
import { blankWord, type CellRules } from "../feeds/rubble.ts";
import { transformFault, type Transform } from "../feeds/transform.ts";

const TRANSFORM_FORM =
  'trim, lower, upper, epoch, e164, date, boolean, number, `{ e164: DE }`, `{ date: MM/DD/YYYY }`, `{ number: { decimal: "," } }`, `{ map: { A: active } }`, `{ split: { at: ";" } }`, `{ replace: { text: "-", with: " " } }` or `{ pad: 5 }`';
const transform = z
  .union(
    [
      z.enum(["trim", "lower", "upper", "epoch", "e164", "date", "boolean"]).transform((kind): Transform => ({ kind })),
      z.literal("number").transform((kind): Transform => ({ kind, decimal: "." })),
      z
        .strictObject({ number: z.strictObject({ decimal: z.enum([".", ","]) }) })
        .transform(({ number }): Transform => ({ kind: "number", ...number })),
      z
        .strictObject({ map: z.record(z.string(), scalar("a text")) })
        .transform(({ map: texts }): Transform => ({ kind: "map", texts })),
      z
        .strictObject({ split: z.strictObject({ at: z.string(), take: z.number().default(1) }) })
        .transform(({ split }): Transform => ({ kind: "split", ...split })),
      z
        .strictObject({ replace: z.strictObject({ text: scalar("a text"), with: scalar("a text") }) })
        .transform(({ replace }): Transform => ({ kind: "replace", text: replace.text, by: replace.with })),
      z.strictObject({ pad: z.number() }).transform(({ pad }): Transform => ({ kind: "pad", digits: pad })),
      z.strictObject({ e164: z.string() }).transform(({ e164 }): Transform => ({ kind: "e164", region: e164 })),
      z.strictObject({ date: z.string() }).transform(({ date }): Transform => ({ kind: "date", pattern: date })),
    ],
    { error: form(TRANSFORM_FORM) },
  )
  .superRefine((value, context) => {
    const fault = transformFault(value);
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  });

const TRIM: readonly Transform[] = [{ kind: "trim" }];
const ATTRIBUTE_FORM = "a column's name, or a map with `column`, `constant` or `template`";
const attributeMap = map(ATTRIBUTE_FORM, {
  column: text("a column's name").optional(),
  constant: scalar("a text").optional(),
  template: text("a text such as `{First Name} {Last Name}`").optional(),
  transforms: z.array(transform, { error: form("a list of transforms") }).optional(),
  onBlank: z.enum(["skip", "clear"], { error: form("`skip` or `clear`") }).optional(),
  verified: z.enum(VERIFIED, { error: form("`mark`, `ask` or `keep`") }).optional(),
  verifiedColumn: text("a column's name").optional(),
});
/** A column's name alone is short for a map with that column. */
const attribute = z.preprocess((given) => (typeof given === "string" ? { column: given } : given), attributeMap);

export const attributesForm = z.record(z.string(), attribute, { error: form("a map from attributes to columns") });

export const usernameForm = z.union(
  [
    text("a column's name"),
    map("`{ column: …, is: … }`", {
      column: text("a column's name"),
      is: z.enum(IDENTIFIERS, { error: form(`one of ${IDENTIFIERS.join(", ")}`) }),
    }),
  ],
  { error: form("the name of the column with the username, or `{ column: …, is: email | phone_number | sub }`") },
);

export const versionForm = z
  .union([text("a column's name"), map("`{ column: … }`", { column: text("a column's name") })], {
    error: form("a column's name, or `{ column: … }`"),
  })
  .transform((value) => (typeof value === "string" ? value : value.column));

export const matchForm = text("the name of an attribute such as custom:employee_id");

/** YAML takes NULL and null for nothing, where the word is meant. */
const blankForm = z.union(
  [
    z.null().transform((): readonly string[] => ["NULL", "null"]),
    z.union([z.string().min(1), z.number(), z.boolean()]).transform((word): readonly string[] => [String(word)]),
  ],
  { error: form("a word such as NULL") },
);

/** How the cells of a feed are read. */
export const cellForms = {
  normalize: z.literal("nfc", { error: form("`nfc`") }).optional(),
  rubble: z.enum(["refuse", "off"], { error: form("`refuse` or `off`") }).optional(),
  blank: z.array(blankForm, { error: form("a list of words such as NULL") }).optional(),
};

export function cellRulesOf({
  normalize,
  rubble,
  blank,
}: {
  readonly normalize?: "nfc" | undefined;
  readonly rubble?: "refuse" | "off" | undefined;
  readonly blank?: readonly (readonly string[])[] | undefined;
}): CellRules {
  return defined({
    normalize,
    rubble: rubble === "off" ? rubble : undefined,
    blank: blank?.flat().map(blankWord),
  });
}

/** The column that names people, and what it holds where that is said. */
export function usernameOf(said: z.output<typeof usernameForm>) {
  return typeof said === "string"
    ? { usernameColumn: said, identifier: undefined }
    : { usernameColumn: said.column, identifier: said.is };
}

export function attributesOf(said: z.output<typeof attributesForm>): readonly AttributeMapping[] {
  return Object.entries(said).map(([name, entry]) => attributeOf(name, entry));
}

/**
 * What is wrong with attributes beside the form of each entry. It is looked for in what the file says, and not in what
 * was made of it, so that a wrong form elsewhere hides nothing.
 */
export function attributeFaults(content: unknown): { readonly path: readonly string[]; readonly message: string }[] {
  return Object.entries(entriesOf(entriesOf(content)["feeds"])).flatMap(([feedName, entry]) => {
    const { attributes, events } = entriesOf(entry);
    const path = ["feeds", feedName];
    return [
      ...faultsOf(attributes, [...path, "attributes"]),
      ...faultsOf(entriesOf(events)["attributes"], [...path, "events", "attributes"]),
    ];
  });
}

function faultsOf(
  attributes: unknown,
  path: readonly string[],
): readonly { path: readonly string[]; message: string }[] {
  const entries = Object.entries(entriesOf(attributes));
  if (attributes !== undefined && typeof attributes === "object" && entries.length === 0) {
    return [{ path, message: "Expected at least one attribute, got none" }];
  }
  return entries.flatMap(([name, value]) => {
    const isForm = typeof value === "string" || (typeof value === "object" && value !== null);
    const message = isForm
      ? attributeFault(name, typeof value === "string" ? { column: value } : entriesOf(value))
      : undefined;
    return message === undefined ? [] : [{ path: [...path, name], message }];
  });
}

function attributeFault(name: string, entry: Entries): string | undefined {
  const sources = ["column", "constant", "template"].filter((source) => entry[source] !== undefined);
  if (sources.length !== 1) return "Expected exactly one of `column`, `constant` and `template`";
  if (!isContact(name)) {
    if (entry["verified"] !== undefined || entry["verifiedColumn"] !== undefined) {
      return "Expected `verified` and `verifiedColumn` for email and phone_number only";
    }
    if (contactOf(name) !== undefined && entry["onBlank"] === "clear")
      return "Expected a flag to be true or false: it cannot be cleared";
    return undefined;
  }
  if (entry["verified"] === undefined && entry["verifiedColumn"] === undefined) {
    return "Expected `verified` to be mark (the source has verified it), ask (Cognito asks each person) or keep (the flag stays as it was), or a `verifiedColumn`: Cognito takes a changed value as unverified";
  }
  return undefined;
}

function attributeOf(name: string, entry: z.output<typeof attributeMap>): AttributeMapping {
  const { column, constant, template, verified, verifiedColumn } = entry;
  return defined({
    name,
    transforms: entry.transforms ?? TRIM,
    onBlank: entry.onBlank ?? "skip",
    column,
    constant,
    template,
    verified,
    verifiedColumn,
  });
}
