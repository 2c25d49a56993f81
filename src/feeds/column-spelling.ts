/** Which column of a feed a mapping means: case, kinds of space, accents' form and marks that nobody sees say nothing. */
import { columnKey } from "../core/text.ts";
import { allNames, type Columns } from "./columns.ts";
import { mappedColumns, withColumns, type Mapping } from "./mapping.ts";

const INDEX = /\[\d+\]/g;

/** The feed's own names of the columns that may be called so, the very name first. */
export function spelledLike(column: string, given: Columns): readonly string[] {
  return likeIn(namesByKey(given), column, given);
}

function namesByKey(given: Columns): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const name of new Set([...given.names, ...allNames(given)])) {
    const key = columnKey(name);
    const known = names.get(key);
    if (known === undefined) names.set(key, [name]);
    else known.push(name);
  }
  return names;
}

function likeIn(names: ReadonlyMap<string, readonly string[]>, column: string, given: Columns): readonly string[] {
  // All elements of a list are one column; the mapping names one of them.
  const indexes = column.match(INDEX) ?? [];
  const found = (names.get(columnKey(column.replace(INDEX, "[*]"))) ?? []).map((name) => {
    let at = 0;
    return name.replaceAll("[*]", (each) => indexes[at++] ?? each);
  });
  return given.has(column) ? [column, ...found.filter((name) => name !== column)] : found;
}

export interface Spelled {
  /** The very same where it names its columns as the feed does. */
  readonly mapping: Mapping;
  /** Columns that mean several of the feed's. */
  readonly doubles: readonly { readonly column: string; readonly names: readonly string[] }[];
}

/** The mapping with its columns as the feed spells them. */
export function asSpelled(mapping: Mapping, given: Columns): Spelled {
  const mapped = mappedColumns(mapping);
  const names = namesByKey(given);
  // What is named by its very name is meant by nothing else.
  const named = new Set([...mapped, ...mapping.ignored].filter((column) => given.has(column)));
  const doubles: { column: string; names: readonly string[] }[] = [];
  const renamed = new Map<string, string>();
  for (const column of mapped) {
    const found = likeIn(names, column, given).filter((name) => name === column || !named.has(name));
    const [only] = found;
    if (found.length > 1) doubles.push({ column, names: found });
    // A template could not hold a name with braces.
    else if (only !== undefined && only !== column && !/[{}]/.test(only)) renamed.set(column, only);
  }
  const ignored = mapping.ignored.flatMap((column) => {
    const found = given.has(column) ? [] : likeIn(names, column, given);
    return found.length > 0 ? found : [column];
  });
  const isSame = renamed.size === 0 && ignored.every((name, at) => name === mapping.ignored[at]);
  if (isSame) return { mapping, doubles };
  const spelled = withColumns(mapping, (column) => renamed.get(column) ?? column);
  return { mapping: { ...spelled, ignored }, doubles };
}
