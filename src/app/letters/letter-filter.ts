/** From what somebody asks of dead letters to the filters that the store knows. */
import { namedPool, type Config } from "../../config/config.ts";
import { defined } from "../../core/defined.ts";
import type { Letter } from "../../core/letter.ts";
import type { Engine } from "../../queues/engine.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { openUsername } from "../../store/sealed-unit.ts";
import { findLetter } from "./find-letter.ts";

export interface LetterRequest {
  /** Letters, whatever else they have. */
  readonly ids?: readonly string[];
  readonly kind?: string;
  /** By id or by name. */
  readonly pool?: string;
  /** A username. */
  readonly user?: string;
  readonly attribute?: string;
  readonly reason?: string;
  /** The run that put them, by its id. */
  readonly run?: string;
  /** Epoch ms. */
  readonly since?: number;
  readonly until?: number;
  readonly limit?: number;
}

/** Means the letter as it is now: where its fault comes again, it is buried later. Two of one unit have two times. */
function filterOf({ user, unit, buriedAt }: Letter): LetterFilter {
  return { user, unit, since: buriedAt, until: buriedAt + 1 };
}

/**
 * The filters that the request means: one a user where a username is in several pools, none where nobody has letters by
 * that name. The letters themselves are looked through, so that no call to Cognito is needed. Throws an
 * AppError `no-letter`.
 */
export async function filtersOf(
  engine: Engine,
  config: Config,
  request: LetterRequest,
): Promise<readonly LetterFilter[]> {
  const { ids = [] } = request;
  if (ids.length > 0)
    return Promise.all(Array.from(new Set(ids), async (id) => filterOf(await findLetter(engine, id))));
  const { kind, attribute, reason, run, since, until, user } = request;
  const pool = request.pool === undefined ? undefined : namedPool(config, request.pool, "--pool").id;
  const filter: LetterFilter = defined({ pool, kind, unit: attribute, reason, run, since, until });
  if (user === undefined) return [filter];
  const beginning = user.toLowerCase();
  const exact = new Set<string>();
  const alike = new Set<string>();
  for await (const letter of engine.store.letters.list(filter)) {
    const username = openUsername(engine.keyring, letter, letter.username);
    if (username === user || letter.user === user) exact.add(letter.user);
    else if (username?.toLowerCase() === beginning) alike.add(letter.user);
  }
  return [...(exact.size > 0 ? exact : alike)].map((key) => ({ ...filter, user: key }));
}
