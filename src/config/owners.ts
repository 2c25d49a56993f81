/**
 * Decides which feed owns an attribute that several feeds map into one pool: `owner:` under the pool names a feed, or
 * says that the newest value stands. Without an owner the feeds would overwrite each other, run by run, so that is
 * refused.
 */
import { z } from "zod";
import { form, text } from "./config-form.ts";
import { mappedColumns, type Mapping } from "../feeds/mapping.ts";

/** Each value has a version, and the newest stands, whatever feed it comes from. */
const NEWEST = "newest";

export const ownerForm = z.record(z.string(), text("the name of a feed, or `newest`"), {
  error: form("a map from attributes to feeds, such as `{ email: hr }`"),
});

interface OwnedPool {
  readonly id: string;
  readonly owner?: Readonly<Record<string, string>> | undefined;
}

interface OwnedFeed {
  readonly pool?: string | undefined;
  readonly mapping: Mapping;
  /** What events map goes into the same pool. */
  readonly events?: { readonly mapping: Mapping } | undefined;
  readonly notOwned: readonly NotOwned[];
}

/** An attribute that a feed maps and does not put, because it is another feed's. */
export interface NotOwned {
  readonly attribute: string;
  readonly owner: string;
}

export interface OwnerProblem {
  readonly path: readonly string[];
  readonly message: string;
}

/**
 * The feeds, each without the attributes that it does not own. A feed whose pool only the command line names stays as
 * it is.
 */
export function shareOut<Feed extends OwnedFeed>(
  pools: Readonly<Record<string, OwnedPool>>,
  feeds: Readonly<Record<string, Feed>>,
): { readonly feeds: Readonly<Record<string, Feed>>; readonly problems: readonly OwnerProblem[] } {
  const problems: OwnerProblem[] = [];
  const poolOf = ({ pool }: OwnedFeed): string | undefined =>
    pool !== undefined && Object.hasOwn(pools, pool) ? pools[pool]?.id : pool;
  /** By pool and attribute: the feeds that map it. */
  const mappers = new Map<string, string[]>();
  const keyOf = (pool: string, attribute: string): string => JSON.stringify([pool, attribute]);
  for (const [name, feed] of Object.entries(feeds)) {
    const pool = poolOf(feed);
    for (const attribute of pool === undefined ? [] : mappedBy(feed)) {
      const key = keyOf(pool ?? "", attribute);
      mappers.set(key, [...(mappers.get(key) ?? []), name]);
    }
  }
  const owners = new Map<string, string>();
  for (const [poolName, { id, owner = {} }] of Object.entries(pools)) {
    for (const [attribute, who] of Object.entries(owner)) {
      const feeds = mappers.get(keyOf(id, attribute)) ?? [];
      if (who === NEWEST || feeds.includes(who)) owners.set(keyOf(id, attribute), who);
      else {
        const known = feeds.length === 0 ? "none maps it into the pool" : feeds.join(", ");
        const message = `Expected a feed that maps \`${attribute}\` (${known}) or \`newest\`, got \`${who}\``;
        problems.push({ path: ["pools", poolName, "owner", attribute], message });
      }
    }
  }
  const shared: Record<string, Feed> = {};
  for (const [name, feed] of Object.entries(feeds)) {
    const pool = poolOf(feed);
    const notOwned: NotOwned[] = [];
    for (const attribute of pool === undefined ? [] : mappedBy(feed)) {
      const key = keyOf(pool ?? "", attribute);
      const feeds = mappers.get(key) ?? [];
      const owner = owners.get(key);
      if (owner !== undefined && owner !== NEWEST && owner !== name) notOwned.push({ attribute, owner });
      // Reported once, at the second of the feeds.
      if (owner !== undefined || feeds.length < 2 || feeds[1] !== name || isReportedOtherwise(problems, attribute))
        continue;
      problems.push({
        path: ["feeds", name, "attributes", attribute],
        message: `Expected one feed to map \`${attribute}\` into pool ${pool}, got ${feeds.join(", ")}: say under the pool whose it is, such as \`owner: { ${attribute}: ${feeds[0]} }\`, or that the \`newest\` value stands`,
      });
    }
    const mapping = without(feed.mapping, notOwned);
    const events = feed.events && { ...feed.events, mapping: without(feed.events.mapping, notOwned) };
    if (mapping.attributes.length === 0 || events?.mapping.attributes.length === 0) {
      const message = "Expected the feed to own at least one of its attributes, and all are other feeds'";
      problems.push({
        path: ["feeds", name, ...(mapping.attributes.length === 0 ? [] : ["events"]), "attributes"],
        message,
      });
    }
    // Of its file is said what is left out.
    const inFile = notOwned.filter(({ attribute }) => feed.mapping.attributes.some(({ name }) => name === attribute));
    shared[name] = notOwned.length === 0 ? feed : { ...feed, notOwned: inFile, mapping, events };
  }
  return { feeds: shared, problems };
}

function mappedBy({ mapping, events }: OwnedFeed): ReadonlySet<string> {
  return new Set([...mapping.attributes, ...(events?.mapping.attributes ?? [])].map(({ name }) => name));
}

/** A wrong owner is a problem of its own: that the attribute then has none is not reported as well. */
function isReportedOtherwise(problems: readonly OwnerProblem[], attribute: string): boolean {
  return problems.some(({ path }) => path[2] === "owner" && path[3] === attribute);
}

/** The mapping without those of its attributes that are among these. Columns that only these attributes read are ignored. */
function without(mapping: Mapping, notOwned: readonly NotOwned[]): Mapping {
  const names = new Set(notOwned.map(({ attribute }) => attribute));
  const left = { ...mapping, attributes: mapping.attributes.filter(({ name }) => !names.has(name)) };
  const mapped = new Set(mappedColumns(left));
  const freed = [...mappedColumns(mapping)].filter((column) => !mapped.has(column));
  return { ...left, ignored: [...mapping.ignored, ...freed] };
}
