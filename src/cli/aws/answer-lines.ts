/** `--output text` as the AWS CLI prints it. */

type Entry = readonly [key: string, value: unknown];

/** True for lists and objects. */
export const isNested = (value: unknown): value is object => typeof value === "object" && value !== null;

/** As Python writes it, because the AWS CLI does. */
export function plainText(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return typeof value === "string" ? value : JSON.stringify(value);
}

const line = (cells: readonly string[]): string => `${cells.join("\t")}\n`;
const entriesOf = (value: object): Entry[] => Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));

/** A line for each object, its texts apart by tabs in the order of their names. */
export function answerLines(value: unknown, name?: string, columns?: readonly string[]): string {
  if (Array.isArray(value)) return listLines(value, name);
  if (!isNested(value)) return line([plainText(value)]);
  const entries = entriesOf(value);
  const nested = entries.filter(([key, inner]) => (columns ? !columns.includes(key) : isNested(inner)));
  const cells = columns
    ? columns.map((key) => (Object.hasOwn(value, key) ? plainText(Reflect.get(value, key)) : ""))
    : entries.filter(([, inner]) => !isNested(inner)).map(([, inner]) => plainText(inner));
  const head = cells.length === 0 ? "" : line(name === undefined ? cells : [name.toUpperCase(), ...cells]);
  return head + nested.map(([key, inner]) => answerLines(inner, key)).join("");
}

function listLines(list: readonly unknown[], name: string | undefined): string {
  if (list.length === 0) return "";
  const objects = list.filter((item) => isNested(item) && !Array.isArray(item));
  if (objects.length > 0) {
    const columns = [
      ...new Set(
        objects
          .flatMap((item) => (isNested(item) ? entriesOf(item) : []))
          .filter(([, v]) => !isNested(v))
          .map(([key]) => key),
      ),
    ].toSorted();
    return list.map((item) => answerLines(item, name, isNested(item) ? columns : undefined)).join("");
  }
  const texts = list.filter((item) => !isNested(item)).map(plainText);
  const scalars =
    texts.length === 0
      ? ""
      : name === undefined
        ? line(texts)
        : texts.map((text) => line([name.toUpperCase(), text])).join("");
  return (
    scalars +
    list
      .filter(isNested)
      .map((item) => answerLines(item, name))
      .join("")
  );
}
